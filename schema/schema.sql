-- What the migrations add up to; made by store_test --schema, compared by store_test.

CREATE TABLE daemon (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version TEXT NOT NULL,
    started TEXT NOT NULL,
    stopped TEXT,
    fact    INTEGER NOT NULL
) STRICT;

CREATE TABLE idempotency (
    key         TEXT PRIMARY KEY,
    body_sha256 TEXT NOT NULL,
    job         INTEGER NOT NULL REFERENCES job (id),
    fact        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE image (
    fact   INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE CONSTRAINT "an image's id is a SHA-256"
           CHECK (length(id) = 64 AND id NOT GLOB '*[^0-9a-f]*'),
    name   TEXT,
    format TEXT NOT NULL,
    size   INTEGER NOT NULL CHECK (size >= 0),
    base   INTEGER,
    ranges TEXT NOT NULL CONSTRAINT "ranges is an array" CHECK (json_type(ranges) = 'array'),
    added  TEXT NOT NULL,
    "by"   TEXT
) STRICT;

CREATE TABLE job (
    id                  INTEGER PRIMARY KEY CHECK (id > 0),
    state               TEXT NOT NULL CONSTRAINT "state of a job"
                        CHECK (state = 'running' OR state = 'held' OR state = 'done' OR state = 'cancelled'),
    reason              TEXT,
    chip                TEXT NOT NULL,
    images              TEXT NOT NULL CONSTRAINT "images is an array" CHECK (json_type(images) = 'array'),
    stations            TEXT NOT NULL CONSTRAINT "stations is an array" CHECK (json_type(stations) = 'array'),
    quantity            INTEGER CHECK (quantity >= 0), -- NULL or 0: without limit
    "trigger"           TEXT NOT NULL CONSTRAINT "trigger of a job"
                        CHECK ("trigger" = 'immediate' OR "trigger" = 'on_insert' OR "trigger" = 'on_start'),
    work_order          TEXT,
    hold_after_failures INTEGER CHECK (hold_after_failures >= 0),
    options             TEXT NOT NULL CONSTRAINT "options is an object" CHECK (json_type(options) = 'object'),
    "by"                TEXT,
    submitted           TEXT NOT NULL,
    updated             TEXT NOT NULL,
    started             INTEGER NOT NULL DEFAULT 0,
    passed              INTEGER NOT NULL DEFAULT 0,
    failed              INTEGER NOT NULL DEFAULT 0,
    aborted             INTEGER NOT NULL DEFAULT 0,
    unknown             INTEGER NOT NULL DEFAULT 0,
    fact                INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger (
    sequence     INTEGER PRIMARY KEY,
    utc_us       INTEGER NOT NULL,
    monotonic_us INTEGER NOT NULL,
    clock        TEXT NOT NULL CONSTRAINT "clock is synchronised or free" CHECK (clock = 'synchronised' OR clock = 'free'),
    boot         TEXT NOT NULL CONSTRAINT "boot is one line" CHECK (length(boot) > 0 AND instr(boot, char(10)) = 0),
    kind         TEXT NOT NULL,
    body         TEXT NOT NULL CONSTRAINT "body is a JSON object"
                 CHECK (CASE WHEN json_valid(body) THEN json_type(body) = 'object' ELSE 0 END),
    hash         BLOB NOT NULL CONSTRAINT "hash is 32 bytes" CHECK (length(hash) = 32),
    -- The same instant as text of fixed width, for the projections and for people.
    utc          TEXT AS (strftime('%Y-%m-%dT%H:%M:%S', utc_us / 1000000, 'unixepoch')
                          || format('.%06dZ', utc_us % 1000000)) VIRTUAL
) STRICT;

CREATE TABLE run (
    id         INTEGER PRIMARY KEY CHECK (id > 0),
    job        INTEGER NOT NULL REFERENCES job (id),
    station    TEXT NOT NULL,
    port       TEXT,
    chip       TEXT NOT NULL,
    chip_id    TEXT,
    image      TEXT,
    images     TEXT NOT NULL CONSTRAINT "images is an array" CHECK (json_type(images) = 'array'),
    work_order TEXT,
    uid        TEXT,
    serial     TEXT,
    started    TEXT NOT NULL CONSTRAINT "started is a UTC time of fixed width"
               CHECK (started GLOB '????-??-??T??:??:??.??????Z' AND julianday(started)),
    ended      TEXT CONSTRAINT "ended is a UTC time of fixed width"
               CHECK (ended GLOB '????-??-??T??:??:??.??????Z' AND julianday(ended)),
    outcome    TEXT CONSTRAINT "outcome of a run"
               CHECK (outcome = 'pass' OR outcome = 'fail' OR outcome = 'aborted' OR outcome = 'unknown'),
    class      TEXT CONSTRAINT "class of failure"
               CHECK (class = 'no-contact' OR class = 'wrong-chip' OR class = 'duplicate-uid'
                      OR class = 'wrong-board' OR class = 'protected' OR class = 'erase' OR class = 'write'
                      OR class = 'verify' OR class = 'option-bytes' OR class = 'lock' OR class = 'timeout'
                      OR class = 'protocol' OR class = 'port-lost' OR class = 'power' OR class = 'data'
                      OR class = 'serial-exhausted' OR class = 'record' OR class = 'cancelled'
                      OR class = 'internal'),
    message    TEXT,
    "by"       TEXT,
    version    TEXT,
    details    TEXT,
    fact       INTEGER NOT NULL,
    CONSTRAINT "a run that passed has no class of failure" CHECK (outcome IS NOT 'pass' OR class IS NULL),
    CONSTRAINT "a run that ended has its time" CHECK ((outcome IS NULL) = (ended IS NULL))
) STRICT;

CREATE TABLE run_image (
    image TEXT NOT NULL REFERENCES image (id),
    run   INTEGER NOT NULL REFERENCES run (id),
    PRIMARY KEY (image, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE station (
    name    TEXT PRIMARY KEY,
    state   TEXT NOT NULL CONSTRAINT "state of a station"
            CHECK (state = 'ready' OR state = 'port-lost' OR state = 'disabled' OR state = 'stopped'),
    reason  TEXT,
    since   TEXT NOT NULL,
    enabled INTEGER NOT NULL DEFAULT 1 CONSTRAINT "enabled is true or false" CHECK (enabled IN (0, 1)),
    "by"    TEXT,
    fact    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE taught (
    content TEXT PRIMARY KEY CONSTRAINT "content is a digest and a chip" CHECK (content GLOB '????????????????* ?*'),
    run     INTEGER NOT NULL REFERENCES run (id),
    sums    TEXT NOT NULL CONSTRAINT "sums is an array" CHECK (json_type(sums) = 'array'),
    fact    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX job_state ON job (state);

CREATE INDEX job_work_order ON job (work_order) WHERE work_order IS NOT NULL;

CREATE INDEX run_job ON run (job);

CREATE UNIQUE INDEX run_open ON run (station) WHERE outcome IS NULL;

CREATE INDEX run_outcome ON run (outcome);

CREATE INDEX run_serial ON run (serial) WHERE serial IS NOT NULL;

CREATE INDEX run_started ON run (started);

CREATE INDEX run_station ON run (station, started);

CREATE INDEX run_uid ON run (uid) WHERE uid IS NOT NULL;

CREATE INDEX run_work_order ON run (work_order) WHERE work_order IS NOT NULL;

CREATE TRIGGER daemon_delete BEFORE DELETE ON daemon
BEGIN SELECT RAISE(ABORT, 'daemon is made from the ledger'); END;

CREATE TRIGGER daemon_insert BEFORE INSERT ON daemon WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'daemon is made from the ledger'); END;

CREATE TRIGGER daemon_update BEFORE UPDATE ON daemon
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'daemon is made from the ledger'); END;

CREATE TRIGGER idempotency_delete BEFORE DELETE ON idempotency
BEGIN SELECT RAISE(ABORT, 'idempotency is made from the ledger'); END;

CREATE TRIGGER idempotency_insert BEFORE INSERT ON idempotency
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'idempotency is made from the ledger'); END;

CREATE TRIGGER idempotency_update BEFORE UPDATE ON idempotency
BEGIN SELECT RAISE(ABORT, 'idempotency is made from the ledger'); END;

CREATE TRIGGER image_delete BEFORE DELETE ON image BEGIN SELECT RAISE(ABORT, 'image is made from the ledger'); END;

CREATE TRIGGER image_insert BEFORE INSERT ON image WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'image is made from the ledger'); END;

CREATE TRIGGER image_update BEFORE UPDATE ON image BEGIN SELECT RAISE(ABORT, 'image is made from the ledger'); END;

CREATE TRIGGER job_delete BEFORE DELETE ON job BEGIN SELECT RAISE(ABORT, 'job is made from the ledger'); END;

CREATE TRIGGER job_insert BEFORE INSERT ON job WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'job is made from the ledger'); END;

CREATE TRIGGER job_update BEFORE UPDATE ON job
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'job is made from the ledger'); END;

CREATE TRIGGER fact_daemon_started AFTER INSERT ON ledger WHEN NEW.kind = 'daemon.started'
BEGIN
    INSERT INTO daemon (id, version, started, stopped, fact)
    VALUES (1, NEW.body ->> 'version', NEW.utc, NULL, NEW.sequence)
    ON CONFLICT (id) DO UPDATE
    SET version = excluded.version, started = excluded.started, stopped = NULL, fact = excluded.fact;
END;

CREATE TRIGGER fact_daemon_stopped AFTER INSERT ON ledger WHEN NEW.kind = 'daemon.stopped'
BEGIN
    SELECT RAISE(ABORT, 'no daemon is running')
    WHERE NOT EXISTS (SELECT 1 FROM daemon WHERE stopped IS NULL);

    UPDATE daemon
    SET stopped = NEW.utc, fact = NEW.sequence;
END;

CREATE TRIGGER fact_image_added AFTER INSERT ON ledger WHEN NEW.kind = 'image.added'
BEGIN
    INSERT INTO image (fact, id, name, format, size, base, ranges, added, "by")
    VALUES (NEW.sequence, NEW.body ->> 'id', NEW.body ->> 'name', NEW.body ->> 'format', NEW.body ->> 'size',
            NEW.body ->> 'base', NEW.body -> 'ranges', NEW.utc, NEW.body ->> 'by');
END;

CREATE TRIGGER fact_job_state AFTER INSERT ON ledger WHEN NEW.kind = 'job.state'
BEGIN
    SELECT RAISE(ABORT, 'the job is unknown')
    WHERE NOT EXISTS (SELECT 1 FROM job WHERE id = NEW.body ->> 'id');
    SELECT RAISE(ABORT, 'the job has ended')
    FROM job WHERE id = NEW.body ->> 'id' AND state IN ('done', 'cancelled');

    UPDATE job
    SET state = NEW.body ->> 'state', reason = NEW.body ->> 'reason', updated = NEW.utc, fact = NEW.sequence
    WHERE id = NEW.body ->> 'id';
END;

CREATE TRIGGER fact_job_submitted AFTER INSERT ON ledger WHEN NEW.kind = 'job.submitted'
BEGIN
    SELECT RAISE(ABORT, 'the job names an image that is unknown')
    FROM json_each(NEW.body, '$.images') WHERE value NOT IN (SELECT id FROM image);

    INSERT INTO job (id, state, chip, images, stations, quantity, "trigger", work_order, hold_after_failures,
                     options, "by", submitted, updated, fact)
    VALUES (NEW.body ->> 'id', 'running', NEW.body ->> 'chip', NEW.body -> 'images', NEW.body -> 'stations',
            NEW.body ->> 'quantity', NEW.body ->> 'trigger', NEW.body ->> 'work_order',
            NEW.body ->> 'hold_after_failures', coalesce(NEW.body -> 'options', '{}'), NEW.body ->> 'by',
            NEW.utc, NEW.utc, NEW.sequence);

    INSERT INTO idempotency (key, body_sha256, job, fact)
    SELECT NEW.body ->> '$.idempotency.key', NEW.body ->> '$.idempotency.body_sha256', NEW.body ->> 'id',
           NEW.sequence
    WHERE json_type(NEW.body, '$.idempotency') = 'object';
END;

CREATE TRIGGER fact_run_ended AFTER INSERT ON ledger WHEN NEW.kind = 'run.ended'
BEGIN
    SELECT RAISE(ABORT, 'the run is not open')
    WHERE NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.body ->> 'id' AND outcome IS NULL);
    SELECT RAISE(ABORT, 'a run ends with an outcome') WHERE NEW.body ->> 'outcome' IS NULL;
    SELECT RAISE(ABORT, 'a run passes only when it says how it was verified')
    WHERE NEW.body ->> 'outcome' = 'pass' AND coalesce(NEW.body ->> '$.verify.method', '') IN ('', 'none');
    SELECT RAISE(ABORT, 'a run passes only on the chip it started on')
    FROM run
    WHERE id = NEW.body ->> 'id' AND NEW.body ->> 'outcome' = 'pass' AND uid <> NEW.body ->> 'uid';

    UPDATE run
    SET outcome = NEW.body ->> 'outcome', class = nullif(NEW.body ->> 'class', ''), message = NEW.body ->> 'message',
        ended = NEW.body ->> 'ended', uid = coalesce(NEW.body ->> 'uid', uid),
        chip_id = coalesce(NEW.body ->> 'chip_id', chip_id), fact = NEW.sequence,
        details = json_remove(NEW.body, '$.id', '$.outcome', '$.class', '$.message', '$.ended', '$.uid', '$.chip_id')
    WHERE id = NEW.body ->> 'id';

    UPDATE job
    SET passed = passed + (NEW.body ->> 'outcome' = 'pass'), failed = failed + (NEW.body ->> 'outcome' = 'fail'),
        aborted = aborted + (NEW.body ->> 'outcome' = 'aborted'),
        unknown = unknown + (NEW.body ->> 'outcome' = 'unknown'), updated = NEW.utc,
        fact = NEW.sequence
    WHERE id = (SELECT job FROM run WHERE id = NEW.body ->> 'id');
END;

CREATE TRIGGER fact_run_started AFTER INSERT ON ledger WHEN NEW.kind = 'run.started'
BEGIN
    SELECT RAISE(ABORT, 'the job of the run is unknown')
    WHERE NOT EXISTS (SELECT 1 FROM job WHERE id = NEW.body ->> 'job');
    -- Held or cancelled is no reason: a board handed out before that is still an attempt to be recorded.
    SELECT CASE
               WHEN state = 'done' THEN RAISE(ABORT, 'the job has ended')
               -- passed, and those in flight
               WHEN started - failed - aborted - unknown >= nullif(quantity, 0)
               THEN RAISE(ABORT, 'the job needs no more boards')
           END
    -- An id that is taken is for the key of the table to refuse: it has a number of its own.
    FROM job WHERE id = NEW.body ->> 'job' AND NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.body ->> 'id');
    SELECT RAISE(ABORT, 'the station has a run that has not ended')
    FROM run WHERE station = NEW.body ->> 'station' AND outcome IS NULL AND id <> NEW.body ->> 'id';

    INSERT INTO run (id, job, station, port, chip, chip_id, image, images, work_order, uid, serial, started,
                     "by", version, fact)
    VALUES (NEW.body ->> 'id', NEW.body ->> 'job', NEW.body ->> 'station', NEW.body ->> 'port',
            NEW.body ->> 'chip', NEW.body ->> 'chip_id', NEW.body ->> '$.images[0]', NEW.body -> 'images',
            NEW.body ->> 'work_order', NEW.body ->> 'uid', NEW.body ->> 'serial', NEW.body ->> 'started',
            NEW.body ->> 'by', NEW.body ->> 'version', NEW.sequence);

    INSERT INTO run_image (image, run)
    SELECT value, NEW.body ->> 'id' FROM json_each(NEW.body, '$.images');

    UPDATE job
    SET started = started + 1, updated = NEW.utc, fact = NEW.sequence
    WHERE id = NEW.body ->> 'job';
END;

CREATE TRIGGER fact_run_taught AFTER INSERT ON ledger
WHEN NEW.kind = 'run.ended' AND NEW.body ->> 'outcome' = 'pass' AND NEW.body ->> '$.verify.method' = 'programmed-twice'
BEGIN
    SELECT RAISE(ABORT, 'a run that was programmed twice says the sums')
    WHERE json_type(NEW.body, '$.verify.sums') IS NOT 'array';
    INSERT INTO taught (content, run, sums, fact)
    SELECT (NEW.body ->> '$.verify.digest') || ' ' || run.chip, run.id, NEW.body -> '$.verify.sums', NEW.sequence
    FROM run
    WHERE run.id = NEW.body ->> 'id'
          AND NOT EXISTS (SELECT 1 FROM taught WHERE content = (NEW.body ->> '$.verify.digest') || ' ' || run.chip);
END;

CREATE TRIGGER fact_station_enabled AFTER INSERT ON ledger WHEN NEW.kind = 'station.enabled'
BEGIN
    INSERT INTO station (name, state, since, enabled, "by", fact)
    VALUES (NEW.body ->> 'name', iif(NEW.body ->> 'enabled', 'ready', 'disabled'), NEW.utc, NEW.body ->> 'enabled',
            NEW.body ->> 'by', NEW.sequence)
    ON CONFLICT (name) DO UPDATE
    SET enabled = excluded.enabled, "by" = excluded."by", fact = excluded.fact;
END;

CREATE TRIGGER fact_station_state AFTER INSERT ON ledger WHEN NEW.kind = 'station.state'
BEGIN
    INSERT INTO station (name, state, reason, since, fact)
    VALUES (NEW.body ->> 'name', NEW.body ->> 'state', NEW.body ->> 'reason', NEW.utc, NEW.sequence)
    ON CONFLICT (name) DO UPDATE
    SET state = excluded.state, reason = excluded.reason, since = excluded.since, fact = excluded.fact;
END;

CREATE TRIGGER ledger_continues BEFORE INSERT ON ledger
WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM ledger)
BEGIN
    SELECT RAISE(ABORT, 'the ledger goes on with the next sequence and nothing else');
END;

CREATE TRIGGER ledger_kind BEFORE INSERT ON ledger
WHEN NOT (NEW.kind = 'daemon.started' OR NEW.kind = 'daemon.stopped' OR NEW.kind = 'image.added'
          OR NEW.kind = 'job.submitted' OR NEW.kind = 'job.state' OR NEW.kind = 'run.started'
          OR NEW.kind = 'run.ended' OR NEW.kind = 'station.state' OR NEW.kind = 'station.enabled')
BEGIN
    SELECT RAISE(ABORT, 'the kind of fact is unknown');
END;

CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER run_delete BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'run is made from the ledger'); END;

CREATE TRIGGER run_insert BEFORE INSERT ON run WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'run is made from the ledger'); END;

CREATE TRIGGER run_update BEFORE UPDATE ON run
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'run is made from the ledger'); END;

CREATE TRIGGER run_image_delete BEFORE DELETE ON run_image
BEGIN SELECT RAISE(ABORT, 'run_image is made from the ledger'); END;

CREATE TRIGGER run_image_update BEFORE UPDATE ON run_image
BEGIN SELECT RAISE(ABORT, 'run_image is made from the ledger'); END;

CREATE TRIGGER station_delete BEFORE DELETE ON station
BEGIN SELECT RAISE(ABORT, 'station is made from the ledger'); END;

CREATE TRIGGER station_insert BEFORE INSERT ON station WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'station is made from the ledger'); END;

CREATE TRIGGER station_update BEFORE UPDATE ON station
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'station is made from the ledger'); END;

CREATE TRIGGER taught_delete BEFORE DELETE ON taught BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;

CREATE TRIGGER taught_insert BEFORE INSERT ON taught WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;

CREATE TRIGGER taught_update BEFORE UPDATE ON taught BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;


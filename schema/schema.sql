-- What the migrations add up to; made by store_test --schema, compared by store_test.

CREATE TABLE backup (
    fact     INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE CONSTRAINT "a backup has a name" CHECK (name <> ''),
    size     INTEGER NOT NULL CHECK (size > 0),
    sha256   TEXT NOT NULL CONSTRAINT "a backup's sum is a SHA-256"
             CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
    sequence INTEGER NOT NULL CONSTRAINT "a backup ends before its record" CHECK (sequence >= 0 AND sequence < fact),
    "by"     TEXT,
    made     TEXT NOT NULL
) STRICT;

CREATE TABLE burned (
    pool   TEXT NOT NULL REFERENCES pool (name),
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    count  INTEGER NOT NULL CHECK (count >= 1),
    reason TEXT NOT NULL CONSTRAINT "burned for a reason" CHECK (reason <> ''),
    "by"   TEXT,
    made   TEXT NOT NULL,
    fact   INTEGER NOT NULL,
    PRIMARY KEY (pool, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY CONSTRAINT "a checkpoint covers all records before it"
         CHECK (size >= 1 AND size = fact - 1),
    root TEXT NOT NULL CONSTRAINT "root is a SHA-256" CHECK (length(root) = 64 AND root NOT GLOB '*[^0-9a-f]*'),
    note TEXT NOT NULL CONSTRAINT "a checkpoint has a note" CHECK (note <> ''),
    fact INTEGER NOT NULL UNIQUE
) STRICT;

CREATE TABLE daemon (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version TEXT NOT NULL,
    started TEXT NOT NULL,
    stopped TEXT,
    fact    INTEGER NOT NULL
) STRICT;

CREATE TABLE held (
    station TEXT NOT NULL,
    job     INTEGER NOT NULL REFERENCES job (id),
    runs    INTEGER NOT NULL CHECK (runs >= 0),
    fact    INTEGER NOT NULL,
    PRIMARY KEY (station, job)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE image_signature (
    image     TEXT NOT NULL REFERENCES image (id),
    signature TEXT NOT NULL CONSTRAINT "a signature has a text" CHECK (signature <> ''),
    key_id    TEXT NOT NULL,
    key_name  TEXT,
    comment   TEXT,
    "by"      TEXT,
    added     TEXT NOT NULL,
    fact      INTEGER NOT NULL,
    PRIMARY KEY (image, signature)
) STRICT, WITHOUT ROWID;

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
, recipe TEXT, recipe_version INTEGER, recipe_hash TEXT, serial_pool TEXT REFERENCES pool (name)) STRICT;

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

CREATE TABLE pool (
    id           INTEGER PRIMARY KEY, -- the record that made it
    name         TEXT NOT NULL UNIQUE CONSTRAINT "a pool has a name" CHECK (name <> ''),
    kind         TEXT NOT NULL CONSTRAINT "kind of a pool" CHECK (kind = 'serial' OR kind = 'eui48' OR kind = 'key'),
    format       TEXT CONSTRAINT "format is an object" CHECK (json_type(format) = 'object'),
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    step         INTEGER NOT NULL CONSTRAINT "a unit takes one number or more" CHECK (step >= 1),
    next         INTEGER NOT NULL,
    gapless      INTEGER NOT NULL,
    state        TEXT NOT NULL CONSTRAINT "state of a pool" CHECK (state = 'open' OR state = 'closed'),
    reason       TEXT,
    warn_percent TEXT NOT NULL CONSTRAINT "warn_percent is an array" CHECK (json_type(warn_percent) = 'array'),
    "by"         TEXT,
    created      TEXT NOT NULL,
    reserved     INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    bound        INTEGER NOT NULL DEFAULT 0 CHECK (bound >= 0),
    pass         INTEGER NOT NULL DEFAULT 0 CHECK (pass >= 0),
    fail         INTEGER NOT NULL DEFAULT 0 CHECK (fail >= 0),
    unknown      INTEGER NOT NULL DEFAULT 0 CHECK (unknown >= 0),
    burned       INTEGER NOT NULL DEFAULT 0 CHECK (burned >= 0),
    returned     INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0),
    issued       INTEGER NOT NULL DEFAULT 0,
    fact         INTEGER NOT NULL,
    CONSTRAINT "issued is the sum of the states"
    CHECK (issued = reserved + bound + pass + fail + unknown + burned + returned),
    CONSTRAINT "the numbers of a pool go from first to last"
    CHECK (first >= 0 AND last - first >= step - 1 AND last < 0x7fffffffffff0000),
    CONSTRAINT "no more is issued than the pool has passed" CHECK (issued <= (next - first) / step),
    CONSTRAINT "next stays inside the pool" CHECK (next >= first AND next <= last + 1),
    CONSTRAINT "gapless lies between first and next" CHECK (gapless >= first AND gapless <= next),
    CONSTRAINT "an EUI-48 is of one unit and not a group" -- the lowest bit of the first octet
    CHECK (kind <> 'eui48' OR (last < 0x1000000000000 AND first >> 40 = last >> 40 AND (first >> 40) & 1 = 0)),
    CONSTRAINT "keys are numbered from 0" CHECK (kind <> 'key' OR (first = 0 AND step = 1))
) STRICT;

CREATE TABLE pool_item (
    pool   TEXT NOT NULL REFERENCES pool (name),
    number INTEGER NOT NULL,
    id     TEXT NOT NULL UNIQUE CONSTRAINT "a key has an id" CHECK (id <> ''),
    sha256 TEXT NOT NULL UNIQUE CONSTRAINT "a key has a SHA-256"
           CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
    fact   INTEGER NOT NULL,
    PRIMARY KEY (pool, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE recipe (
    id          INTEGER PRIMARY KEY, -- the record that made it
    name        TEXT NOT NULL CONSTRAINT "a recipe has a name" CHECK (name <> ''),
    version     INTEGER NOT NULL CONSTRAINT "versions count from 1" CHECK (version >= 1),
    state       TEXT NOT NULL CONSTRAINT "state of a recipe"
                CHECK (state = 'draft' OR state = 'released' OR state = 'retired'),
    hash        TEXT NOT NULL CONSTRAINT "a recipe's hash is a SHA-256"
                CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
    content     TEXT NOT NULL CONSTRAINT "content is an object" CHECK (json_type(content) = 'object'),
    "by"        TEXT,
    created     TEXT NOT NULL,
    released_by TEXT,
    released    TEXT,
    reason      TEXT,
    fact        INTEGER NOT NULL,
    UNIQUE (name, version),
    CONSTRAINT "a recipe in use was released" CHECK (state = 'draft' OR released IS NOT NULL)
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
    fact       INTEGER NOT NULL, recipe TEXT, recipe_version INTEGER, recipe_hash TEXT, fixture TEXT, numbers TEXT CONSTRAINT "numbers is an array" CHECK (json_type(numbers) = 'array'), unit TEXT CONSTRAINT "unit is an object" CHECK (json_type(unit) = 'object'), unit_data_sha256 TEXT, rework TEXT CONSTRAINT "rework has a reason" CHECK (rework <> ''), code TEXT, opened INTEGER, link TEXT CONSTRAINT "link is an object" CHECK (json_type(link) = 'object'),
    CONSTRAINT "a run that passed has no class of failure" CHECK (outcome IS NOT 'pass' OR class IS NULL),
    CONSTRAINT "a run that ended has its time" CHECK ((outcome IS NULL) = (ended IS NULL))
) STRICT;

CREATE TABLE run_image (
    image TEXT NOT NULL REFERENCES image (id),
    run   INTEGER NOT NULL REFERENCES run (id),
    PRIMARY KEY (image, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_pool (
    pool TEXT NOT NULL REFERENCES pool (name),
    run  INTEGER NOT NULL REFERENCES run (id),
    PRIMARY KEY (pool, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE serial (
    id       INTEGER PRIMARY KEY,
    text     TEXT NOT NULL UNIQUE CONSTRAINT "a number has a text" CHECK (text <> ''),
    pool     TEXT REFERENCES pool (name),
    number   INTEGER,
    state    TEXT NOT NULL CONSTRAINT "state of a number"
             CHECK (state = 'reserved' OR state = 'bound' OR state = 'pass' OR state = 'fail' OR state = 'unknown'
                    OR state = 'burned' OR state = 'returned'),
    before   TEXT CONSTRAINT "state before of a number"
             CHECK (before = 'pass' OR before = 'fail' OR before = 'unknown' OR before = 'returned'),
    run      INTEGER NOT NULL REFERENCES run (id),
    uid      TEXT,
    attempts INTEGER NOT NULL CHECK (attempts >= 1),
    job      INTEGER NOT NULL REFERENCES job (id),
    reason   TEXT,
    "by"     TEXT,
    updated  TEXT NOT NULL,
    fact     INTEGER NOT NULL,
    CONSTRAINT "a number and its pool go together" CHECK ((pool IS NULL) = (number IS NULL)),
    CONSTRAINT "bound is bound to a chip" CHECK (state <> 'bound' OR uid IS NOT NULL)
) STRICT;

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

CREATE TABLE tally (
    span         INTEGER NOT NULL CONSTRAINT "span of a tally" CHECK (span = 300 OR span = 3600),
    start        INTEGER NOT NULL CONSTRAINT "a tally starts with a whole span" CHECK (start % span = 0),
    station      TEXT NOT NULL,
    job          INTEGER NOT NULL REFERENCES job (id),
    runs         INTEGER NOT NULL,
    pass         INTEGER NOT NULL,
    fail         INTEGER NOT NULL,
    aborted      INTEGER NOT NULL,
    unknown      INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    units        INTEGER NOT NULL,
    first_pass   INTEGER NOT NULL,
    passed_units INTEGER NOT NULL,
    us           INTEGER NOT NULL,
    floor_us     INTEGER NOT NULL,
    wire_us      INTEGER NOT NULL,
    target_us    INTEGER NOT NULL,
    host_us      INTEGER NOT NULL,
    retry_us     INTEGER NOT NULL,
    timed_runs   INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    fact         INTEGER NOT NULL,
    PRIMARY KEY (span, start, station, job),
    CONSTRAINT "runs is the sum of the outcomes" CHECK (runs = pass + fail + aborted + unknown),
    CONSTRAINT "units are no more than their runs"
    CHECK (first_pass <= units AND units <= runs AND first_pass <= passed_units AND passed_units <= pass
           AND timed_runs <= pass)
) STRICT, WITHOUT ROWID;

CREATE TABLE tally_class (
    span    INTEGER NOT NULL CONSTRAINT "span of a tally" CHECK (span = 300 OR span = 3600),
    start   INTEGER NOT NULL CONSTRAINT "a tally starts with a whole span" CHECK (start % span = 0),
    station TEXT NOT NULL,
    job     INTEGER NOT NULL REFERENCES job (id),
    class   TEXT NOT NULL,
    count   INTEGER NOT NULL CHECK (count >= 1),
    fact    INTEGER NOT NULL,
    PRIMARY KEY (span, start, station, job, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE taught (
    content TEXT PRIMARY KEY CONSTRAINT "content is a digest and a chip" CHECK (content GLOB '????????????????* ?*'),
    run     INTEGER NOT NULL REFERENCES run (id),
    sums    TEXT NOT NULL CONSTRAINT "sums is an array" CHECK (json_type(sums) = 'array'),
    fact    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tile (
    idx  INTEGER PRIMARY KEY,
    hash TEXT NOT NULL CONSTRAINT "hash of a tile is a SHA-256"
         CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
    fact INTEGER NOT NULL
) STRICT;

CREATE TABLE units_made (
    thing   TEXT NOT NULL,
    version INTEGER NOT NULL,
    count   INTEGER NOT NULL CHECK (count >= 1),
    fact    INTEGER NOT NULL,
    PRIMARY KEY (thing, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook (
    id      TEXT PRIMARY KEY CONSTRAINT "a webhook has an id" CHECK (id <> ''),
    url     TEXT NOT NULL CONSTRAINT "a webhook has a URL" CHECK (url <> ''),
    topics  TEXT NOT NULL CONSTRAINT "topics is an array" CHECK (json_type(topics) = 'array'),
    state   TEXT NOT NULL CONSTRAINT "state of a webhook"
            CHECK (state = 'active' OR state = 'removed' OR state = 'disabled'),
    reason  TEXT,
    "by"    TEXT,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    fact    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX job_state ON job (state);

CREATE INDEX job_work_order ON job (work_order) WHERE work_order IS NOT NULL;

CREATE INDEX recipe_name ON recipe (name);

CREATE INDEX recipe_state ON recipe (state);

CREATE INDEX run_by ON run ("by", started) WHERE "by" IS NOT NULL;

CREATE INDEX run_job ON run (job);

CREATE UNIQUE INDEX run_open ON run (station) WHERE outcome IS NULL;

CREATE INDEX run_outcome ON run (outcome);

CREATE INDEX run_passed ON run (ended, station, job, outcome) WHERE outcome = 'pass';

CREATE INDEX run_recipe ON run (recipe) WHERE recipe IS NOT NULL;

CREATE INDEX run_recipe_version ON run (recipe, recipe_version) WHERE recipe IS NOT NULL;

CREATE INDEX run_serial ON run (serial) WHERE serial IS NOT NULL;

CREATE INDEX run_started ON run (started);

CREATE INDEX run_station ON run (station, started);

CREATE INDEX run_uid ON run (uid) WHERE uid IS NOT NULL;

CREATE INDEX run_work_order ON run (work_order) WHERE work_order IS NOT NULL;

CREATE INDEX serial_not_passed ON serial (state) WHERE state <> 'pass';

CREATE UNIQUE INDEX serial_number ON serial (pool, number) WHERE pool IS NOT NULL;

CREATE INDEX serial_state ON serial (pool, state, number) WHERE pool IS NOT NULL;

CREATE INDEX serial_uid ON serial (uid) WHERE uid IS NOT NULL;

CREATE INDEX tally_job ON tally (job, span, start);

CREATE INDEX tally_class_job ON tally_class (job, span, start);

CREATE TRIGGER backup_delete BEFORE DELETE ON backup
BEGIN SELECT RAISE(ABORT, 'backup is made from the ledger'); END;

CREATE TRIGGER backup_insert BEFORE INSERT ON backup WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'backup is made from the ledger'); END;

CREATE TRIGGER backup_update BEFORE UPDATE ON backup
BEGIN SELECT RAISE(ABORT, 'backup is made from the ledger'); END;

CREATE TRIGGER burned_delete BEFORE DELETE ON burned
BEGIN SELECT RAISE(ABORT, 'burned is made from the ledger'); END;

CREATE TRIGGER burned_insert BEFORE INSERT ON burned WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'burned is made from the ledger'); END;

CREATE TRIGGER burned_update BEFORE UPDATE ON burned
BEGIN SELECT RAISE(ABORT, 'burned is made from the ledger'); END;

CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is made from the ledger'); END;

CREATE TRIGGER checkpoint_insert BEFORE INSERT ON checkpoint
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'checkpoint is made from the ledger'); END;

CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is made from the ledger'); END;

CREATE TRIGGER daemon_delete BEFORE DELETE ON daemon
BEGIN SELECT RAISE(ABORT, 'daemon is made from the ledger'); END;

CREATE TRIGGER daemon_insert BEFORE INSERT ON daemon WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'daemon is made from the ledger'); END;

CREATE TRIGGER daemon_update BEFORE UPDATE ON daemon
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'daemon is made from the ledger'); END;

CREATE TRIGGER held_delete BEFORE DELETE ON held BEGIN SELECT RAISE(ABORT, 'held is made from the ledger'); END;

CREATE TRIGGER held_insert BEFORE INSERT ON held WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'held is made from the ledger'); END;

CREATE TRIGGER held_update BEFORE UPDATE ON held
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'held is made from the ledger'); END;

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

CREATE TRIGGER image_signature_delete BEFORE DELETE ON image_signature
BEGIN SELECT RAISE(ABORT, 'image_signature is made from the ledger'); END;

CREATE TRIGGER image_signature_insert BEFORE INSERT ON image_signature
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'image_signature is made from the ledger'); END;

CREATE TRIGGER image_signature_update BEFORE UPDATE ON image_signature
BEGIN SELECT RAISE(ABORT, 'image_signature is made from the ledger'); END;

CREATE TRIGGER job_delete BEFORE DELETE ON job BEGIN SELECT RAISE(ABORT, 'job is made from the ledger'); END;

CREATE TRIGGER job_insert BEFORE INSERT ON job WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'job is made from the ledger'); END;

CREATE TRIGGER job_update BEFORE UPDATE ON job
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'job is made from the ledger'); END;

CREATE TRIGGER fact_backup_made AFTER INSERT ON ledger WHEN NEW.kind = 'backup.made'
BEGIN
    INSERT INTO backup (fact, name, size, sha256, sequence, "by", made)
    VALUES (NEW.sequence, NEW.body ->> 'name', NEW.body ->> 'size', NEW.body ->> 'sha256', NEW.body ->> 'sequence',
            NEW.body ->> 'by', NEW.utc);
END;

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

CREATE TRIGGER fact_image_signed AFTER INSERT ON ledger WHEN NEW.kind = 'image.signed'
BEGIN
    SELECT RAISE(ABORT, 'the image is unknown')
    WHERE NOT EXISTS (SELECT 1 FROM image WHERE id = NEW.body ->> 'image');

    INSERT INTO image_signature (image, signature, key_id, key_name, comment, "by", added, fact)
    VALUES (NEW.body ->> 'image', NEW.body ->> 'signature', NEW.body ->> 'key_id', NEW.body ->> 'key_name',
            NEW.body ->> 'comment', NEW.body ->> 'by', NEW.utc, NEW.sequence);
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
    SELECT RAISE(ABORT, 'the job names a recipe that cannot be run')
    WHERE NEW.body ->> 'recipe' IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM recipe
                          WHERE name = NEW.body ->> '$.recipe.name' AND version = NEW.body ->> '$.recipe.version'
                                AND hash = NEW.body ->> '$.recipe.hash' AND state <> 'retired');

    INSERT INTO job (id, state, chip, images, stations, quantity, "trigger", work_order, hold_after_failures,
                     options, "by", submitted, updated, fact, recipe, recipe_version, recipe_hash, serial_pool)
    VALUES (NEW.body ->> 'id', 'running', NEW.body ->> 'chip', NEW.body -> 'images', NEW.body -> 'stations',
            NEW.body ->> 'quantity', NEW.body ->> 'trigger', NEW.body ->> 'work_order',
            NEW.body ->> 'hold_after_failures', coalesce(NEW.body -> 'options', '{}'), NEW.body ->> 'by',
            NEW.utc, NEW.utc, NEW.sequence, NEW.body ->> '$.recipe.name', NEW.body ->> '$.recipe.version',
            NEW.body ->> '$.recipe.hash', NEW.body ->> 'serial_pool');

    INSERT INTO idempotency (key, body_sha256, job, fact)
    SELECT NEW.body ->> '$.idempotency.key', NEW.body ->> '$.idempotency.body_sha256', NEW.body ->> 'id',
           NEW.sequence
    WHERE json_type(NEW.body, '$.idempotency') = 'object';
END;

CREATE TRIGGER fact_ledger_checkpoint AFTER INSERT ON ledger WHEN NEW.kind = 'ledger.checkpoint'
BEGIN
    SELECT RAISE(ABORT, 'a checkpoint has the tiles that are complete since the one before')
    WHERE json_array_length(NEW.body, '$.tiles')
          IS NOT (NEW.body ->> 'size') / 256 - (SELECT coalesce(max(idx), -1) + 1 FROM tile);

    INSERT INTO checkpoint (size, root, note, fact)
    VALUES (NEW.body ->> 'size', NEW.body ->> 'root', NEW.body ->> 'note', NEW.sequence);

    INSERT INTO tile (idx, hash, fact)
    SELECT (NEW.body ->> 'size') / 256 - json_array_length(NEW.body, '$.tiles') + one.key, one.value, NEW.sequence
    FROM json_each(NEW.body, '$.tiles') AS one;
END;

CREATE TRIGGER fact_pool_burned AFTER INSERT ON ledger WHEN NEW.kind = 'pool.burned'
BEGIN
    SELECT RAISE(ABORT, 'the pool is unknown')
    WHERE NOT EXISTS (SELECT 1 FROM pool WHERE name = NEW.body ->> 'name');
    SELECT RAISE(ABORT, 'first and last are numbers of the pool')
    FROM pool
    WHERE name = NEW.body ->> 'name'
          AND (json_type(NEW.body, '$.first') IS NOT 'integer' OR json_type(NEW.body, '$.last') IS NOT 'integer'
               OR NEW.body ->> 'first' < first OR NEW.body ->> 'last' < NEW.body ->> 'first'
               OR NEW.body ->> 'last' > last - step + 1 OR ((NEW.body ->> 'first') - first) % step <> 0
               OR ((NEW.body ->> 'last') - first) % step <> 0);
    SELECT RAISE(ABORT, 'one of the numbers has a state')
    WHERE EXISTS (SELECT 1 FROM serial
                  WHERE pool = NEW.body ->> 'name'
                        AND number BETWEEN NEW.body ->> 'first' AND NEW.body ->> 'last')
          OR (SELECT last FROM burned WHERE pool = NEW.body ->> 'name' AND first <= NEW.body ->> 'last'
              ORDER BY first DESC LIMIT 1) >= NEW.body ->> 'first';

    INSERT INTO burned (pool, first, last, count, reason, "by", made, fact)
    SELECT name, NEW.body ->> 'first', NEW.body ->> 'last',
           ((NEW.body ->> 'last') - (NEW.body ->> 'first')) / step + 1, NEW.body ->> 'reason', NEW.body ->> 'by',
           NEW.utc, NEW.sequence
    FROM pool WHERE name = NEW.body ->> 'name';

    UPDATE pool
    SET burned = pool.burned + now.count, issued = pool.issued + now.count,
        next = max(pool.next, now.last + pool.step),
        gapless = iif((max(pool.next, now.last + pool.step) - pool.first) / pool.step = pool.issued + now.count,
                      max(pool.next, now.last + pool.step), pool.gapless),
        fact = NEW.sequence
    FROM burned AS now
    WHERE now.pool = NEW.body ->> 'name' AND now.first = NEW.body ->> 'first' AND pool.name = now.pool;
END;

CREATE TRIGGER fact_pool_created AFTER INSERT ON ledger WHEN NEW.kind = 'pool.created'
BEGIN
    SELECT RAISE(ABORT, 'the numbers overlap those of another pool')
    FROM pool
    WHERE kind = NEW.body ->> 'kind' AND first <= NEW.body ->> 'last' AND last >= NEW.body ->> 'first'
          AND (kind = 'eui48' OR (kind = 'serial' AND format IS nullif(NEW.body -> 'format', 'null')));
    SELECT RAISE(ABORT, 'a key pool numbers its items')
    WHERE coalesce(json_array_length(NEW.body, '$.items'), 0)
          IS NOT iif(NEW.body ->> 'kind' = 'key', (NEW.body ->> 'last') + 1, 0);

    INSERT INTO pool (id, name, kind, format, first, last, step, next, gapless, state, warn_percent, "by",
                      created, fact)
    VALUES (NEW.sequence, NEW.body ->> 'name', NEW.body ->> 'kind', nullif(NEW.body -> 'format', 'null'),
            NEW.body ->> 'first', NEW.body ->> 'last', NEW.body ->> 'step', NEW.body ->> 'first',
            NEW.body ->> 'first', 'open', coalesce(nullif(NEW.body -> 'warn_percent', 'null'), '[70,85,95]'),
            NEW.body ->> 'by', NEW.utc, NEW.sequence);

    INSERT INTO pool_item (pool, number, id, sha256, fact)
    SELECT NEW.body ->> 'name', one.key, one.value ->> 'id', one.value ->> 'sha256', NEW.sequence
    FROM json_each(NEW.body, '$.items') AS one;
END;

CREATE TRIGGER fact_pool_state AFTER INSERT ON ledger WHEN NEW.kind = 'pool.state'
BEGIN
    SELECT RAISE(ABORT, 'the pool is unknown')
    WHERE NOT EXISTS (SELECT 1 FROM pool WHERE name = NEW.body ->> 'name');
    SELECT RAISE(ABORT, 'the pool is in that state already')
    FROM pool WHERE name = NEW.body ->> 'name' AND state = NEW.body ->> 'state';

    UPDATE pool
    SET state = NEW.body ->> 'state', reason = NEW.body ->> 'reason', fact = NEW.sequence
    WHERE name = NEW.body ->> 'name';
END;

CREATE TRIGGER fact_recipe_saved AFTER INSERT ON ledger WHEN NEW.kind = 'recipe.saved'
BEGIN
    SELECT RAISE(ABORT, 'a recipe changes only while it is a draft')
    FROM recipe WHERE name = NEW.body ->> 'name' AND version = NEW.body ->> 'version' AND state <> 'draft';

    INSERT INTO recipe (id, name, version, state, hash, content, "by", created, fact)
    VALUES (NEW.sequence, NEW.body ->> 'name', NEW.body ->> 'version', 'draft', NEW.body ->> 'hash',
            NEW.body -> 'content', NEW.body ->> 'by', NEW.utc, NEW.sequence)
    ON CONFLICT (name, version) DO UPDATE
    SET hash = excluded.hash, content = excluded.content, "by" = excluded."by", fact = excluded.fact;
END;

CREATE TRIGGER fact_recipe_state AFTER INSERT ON ledger WHEN NEW.kind = 'recipe.state'
BEGIN
    SELECT RAISE(ABORT, 'the recipe is unknown')
    WHERE NOT EXISTS (SELECT 1 FROM recipe WHERE name = NEW.body ->> 'name' AND version = NEW.body ->> 'version');
    SELECT CASE
               WHEN NOT coalesce((state = 'draft' AND NEW.body ->> 'state' = 'released')
                                 OR (state = 'released' AND NEW.body ->> 'state' = 'retired'), 0)
               THEN RAISE(ABORT, 'a recipe goes from draft to released to retired')
               WHEN hash IS NOT NEW.body ->> 'hash' THEN RAISE(ABORT, 'the recipe has another hash')
           END
    FROM recipe WHERE name = NEW.body ->> 'name' AND version = NEW.body ->> 'version';

    UPDATE recipe
    SET state = NEW.body ->> 'state', reason = NEW.body ->> 'reason',
        released = iif(NEW.body ->> 'state' = 'released', NEW.utc, released),
        released_by = iif(NEW.body ->> 'state' = 'released', NEW.body ->> 'by', released_by), fact = NEW.sequence
    WHERE name = NEW.body ->> 'name' AND version = NEW.body ->> 'version';
END;

CREATE TRIGGER fact_record_restored AFTER INSERT ON ledger WHEN NEW.kind = 'record.restored'
BEGIN
    SELECT RAISE(ABORT, 'a record is restored for a reason') WHERE coalesce(NEW.body ->> 'reason', '') = '';

    UPDATE pool
    SET state = 'closed', reason = 'the record was restored: ' || (NEW.body ->> 'reason'), fact = NEW.sequence
    WHERE state = 'open';
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
        chip_id = coalesce(NEW.body ->> 'chip_id', chip_id), link = nullif(NEW.body -> 'link', 'null'),
        fact = NEW.sequence,
        details = json_remove(NEW.body, '$.id', '$.outcome', '$.class', '$.message', '$.ended', '$.uid', '$.chip_id',
                              '$.link')
    WHERE id = NEW.body ->> 'id';

    UPDATE job
    SET passed = passed + (NEW.body ->> 'outcome' = 'pass'), failed = failed + (NEW.body ->> 'outcome' = 'fail'),
        aborted = aborted + (NEW.body ->> 'outcome' = 'aborted'),
        unknown = unknown + (NEW.body ->> 'outcome' = 'unknown'), updated = NEW.utc,
        fact = NEW.sequence
    WHERE id = (SELECT job FROM run WHERE id = NEW.body ->> 'id');

    INSERT INTO tally (span, start, station, job, runs, pass, fail, aborted, unknown, cancelled, units, first_pass,
                       passed_units, us, floor_us, wire_us, target_us, host_us, retry_us, timed_runs, bytes, fact)
    SELECT 300, start, station, job, counted, pass, counted AND outcome = 'fail', counted AND outcome = 'aborted',
           counted AND outcome = 'unknown', NOT counted, counted AND unit, pass AND unit AND NOT after,
           pass AND (unit OR NOT (
               EXISTS (SELECT 1 FROM run AS other
                       WHERE other.uid = this.uid AND other.id >= began AND +other.job = this.job
                             AND +other.outcome = 'pass' AND other.fact < this.fact
                             AND other.class IS NOT 'cancelled')
               OR EXISTS (SELECT 1 FROM run AS other
                          WHERE other.serial = this.serial AND other.id >= began AND +other.job = this.job
                                AND (other.uid IS NULL OR this.uid IS NULL) AND +other.outcome = 'pass'
                                AND other.fact < this.fact AND other.class IS NOT 'cancelled'))),
           timed * us, timed * floor_us, timed * CAST(round(us * wire) AS INTEGER),
           timed * CAST(round(us * target) AS INTEGER), timed * CAST(round(us * host) AS INTEGER),
           timed * CAST(round(us * retry) AS INTEGER), timed, timed * bytes, fact
    FROM (SELECT unixepoch(substr(ended, 1, 19)) / 300 * 300 AS start, station, job, outcome, fact, uid, serial,
                 began, class IS NOT 'cancelled' AS counted, outcome = 'pass' AS pass,
                 iif(uid IS NULL AND serial IS NULL, outcome = 'pass', NOT (
                     EXISTS (SELECT 1 FROM run AS other
                             WHERE other.uid = this.uid AND other.id >= began AND +other.job = this.job
                                   AND +other.outcome IS NOT NULL AND other.fact < this.fact
                                   AND other.class IS NOT 'cancelled')
                     OR EXISTS (SELECT 1 FROM run AS other
                                WHERE other.serial = this.serial AND other.id >= began AND +other.job = this.job
                                      AND (other.uid IS NULL OR this.uid IS NULL) AND +other.outcome IS NOT NULL
                                      AND other.fact < this.fact AND other.class IS NOT 'cancelled'))) AS unit,
                 EXISTS (SELECT 1 FROM held
                         WHERE held.station = this.station AND held.job = this.job AND held.runs > 0) AS after,
                 coalesce(outcome = 'pass' AND json_type(NEW.body, '$.phases[0]') = 'object'
                          AND NEW.body ->> 'floor_us' IS NOT NULL, 0) AS timed,
                 CAST(coalesce(NEW.body ->> '$.phases[0].us', 0) + coalesce(NEW.body ->> '$.phases[1].us', 0)
                          + coalesce(NEW.body ->> '$.phases[2].us', 0) + coalesce(NEW.body ->> '$.phases[3].us', 0)
                          + coalesce(NEW.body ->> '$.phases[4].us', 0) + coalesce(NEW.body ->> '$.phases[5].us', 0)
                          + coalesce(NEW.body ->> '$.phases[6].us', 0)
                          + coalesce(NEW.body ->> '$.phases[7].us', 0) AS INTEGER) AS us,
                 coalesce(CAST(NEW.body ->> 'floor_us' AS INTEGER), 0) AS floor_us,
                 coalesce(CAST(NEW.body ->> 'bytes' AS INTEGER), 0) AS bytes,
                 coalesce(NEW.body ->> '$.shares.wire', 0) AS wire,
                 coalesce(NEW.body ->> '$.shares.target', 0) AS target,
                 coalesce(NEW.body ->> '$.shares.host', 0) AS host,
                 coalesce(NEW.body ->> '$.shares.retry', 0) AS retry
          FROM (SELECT *, (SELECT min(first.id) FROM run AS first WHERE first.job = run.job) AS began
                FROM run WHERE run.id = NEW.body ->> 'id') AS this
          LIMIT 1) AS this
    WHERE true
    ON CONFLICT (span, start, station, job) DO UPDATE
    SET runs = runs + excluded.runs, pass = pass + excluded.pass, fail = fail + excluded.fail,
        aborted = aborted + excluded.aborted, unknown = unknown + excluded.unknown,
        cancelled = cancelled + excluded.cancelled, units = units + excluded.units,
        first_pass = first_pass + excluded.first_pass, passed_units = passed_units + excluded.passed_units,
        us = us + excluded.us, floor_us = floor_us + excluded.floor_us, wire_us = wire_us + excluded.wire_us,
        target_us = target_us + excluded.target_us, host_us = host_us + excluded.host_us,
        retry_us = retry_us + excluded.retry_us, timed_runs = timed_runs + excluded.timed_runs,
        bytes = bytes + excluded.bytes, fact = max(fact, excluded.fact);

    -- It is held against the next unit, or else what was held is settled with it.
    INSERT INTO held (station, job, runs, fact)
    SELECT station, job, 1, fact
    FROM run
    WHERE id = NEW.body ->> 'id' AND uid IS NULL AND serial IS NULL AND outcome <> 'pass' AND class IS NOT 'cancelled'
    ON CONFLICT (station, job) DO UPDATE SET runs = runs + 1, fact = excluded.fact;

    UPDATE held
    SET runs = 0, fact = run.fact
    FROM run
    WHERE run.id = NEW.body ->> 'id' AND run.class IS NOT 'cancelled' AND held.station = run.station
          AND held.job = run.job AND held.runs > 0 AND held.fact < run.fact;

    INSERT INTO tally_class (span, start, station, job, class, count, fact)
    SELECT span.value, unixepoch(substr(ended, 1, 19)) / span.value * span.value, station, job,
           coalesce(class, outcome), 1, fact
    FROM run CROSS JOIN json_each('[300,3600]') AS span
    WHERE run.id = NEW.body ->> 'id' AND outcome <> 'pass' AND class IS NOT 'cancelled'
    ON CONFLICT (span, start, station, job, class) DO UPDATE SET count = count + 1, fact = excluded.fact;
END;

CREATE TRIGGER fact_run_made AFTER INSERT ON ledger WHEN NEW.kind = 'run.ended' AND NEW.body ->> 'outcome' = 'pass'
BEGIN
    INSERT INTO units_made (thing, version, count, fact)
    SELECT one.value, 0, 1, NEW.sequence
    FROM run CROSS JOIN json_each(run.images) AS one
    WHERE run.id = NEW.body ->> 'id'
    ON CONFLICT (thing, version) DO UPDATE SET count = count + 1, fact = excluded.fact;

    INSERT INTO units_made (thing, version, count, fact)
    SELECT recipe, recipe_version, 1, NEW.sequence
    FROM run
    WHERE id = NEW.body ->> 'id' AND recipe IS NOT NULL
    ON CONFLICT (thing, version) DO UPDATE SET count = count + 1, fact = excluded.fact;
END;

CREATE TRIGGER fact_run_numbers AFTER INSERT ON ledger
WHEN NEW.kind = 'run.started' AND json_type(NEW.body, '$.numbers') = 'array'
BEGIN
    SELECT RAISE(ABORT, 'a number of a run has a text, and with a pool its place in it')
    FROM json_each(NEW.body, '$.numbers') AS one
    WHERE typeof(one.value ->> 'text') <> 'text' OR (one.value ->> 'pool' IS NULL) <> (one.value ->> 'number' IS NULL)
          OR (one.value ->> 'number' IS NOT NULL AND typeof(one.value ->> 'number') <> 'integer');
    SELECT RAISE(ABORT, 'a number is twice among those of a run')
    WHERE (SELECT count(DISTINCT one.value ->> 'text') FROM json_each(NEW.body, '$.numbers') AS one)
          < json_array_length(NEW.body, '$.numbers');
    SELECT RAISE(ABORT, 'the serial of the run is not among its numbers')
    WHERE NEW.body ->> 'serial' IS NOT NULL AND json_array_length(NEW.body, '$.numbers') > 0
          AND NOT EXISTS (SELECT 1 FROM json_each(NEW.body, '$.numbers') AS one
                          WHERE one.value ->> 'text' = NEW.body ->> 'serial');
    SELECT CASE
               WHEN pool.name IS NULL THEN RAISE(ABORT, 'the pool of a number is unknown')
               WHEN one.value ->> 'number' < pool.first OR one.value ->> 'number' > pool.last - pool.step + 1
                    OR ((one.value ->> 'number') - pool.first) % pool.step <> 0
               THEN RAISE(ABORT, 'a number is not one of its pool')
               WHEN pool.kind = 'key'
                    AND one.value ->> 'text' IS NOT (SELECT id FROM pool_item
                                                     WHERE pool_item.pool = pool.name
                                                           AND pool_item.number = one.value ->> 'number')
               THEN RAISE(ABORT, 'a key is named by its id')
           END
    FROM json_each(NEW.body, '$.numbers') AS one LEFT JOIN pool ON pool.name = one.value ->> 'pool'
    WHERE one.value ->> 'pool' IS NOT NULL;

    SELECT RAISE(ABORT, 'a number has been given out under another text')
    FROM json_each(NEW.body, '$.numbers') AS one
         CROSS JOIN serial ON serial.pool = one.value ->> 'pool' AND serial.number = one.value ->> 'number'
    WHERE serial.text <> one.value ->> 'text';
    SELECT CASE
               WHEN serial.pool IS NOT one.value ->> 'pool' OR serial.number IS NOT one.value ->> 'number'
               THEN RAISE(ABORT, 'a text has been given out as another number')
               WHEN serial.state = 'burned' THEN RAISE(ABORT, 'a number is burned')
               WHEN serial.state = 'reserved' OR serial.state = 'bound'
               THEN RAISE(ABORT, 'a number is with a run that has not ended')
               WHEN serial.uid IS NULL OR serial.uid IS NOT NEW.body ->> 'uid'
               THEN RAISE(ABORT, 'a number stays with the chip that it was given to')
               WHEN serial.state = 'pass' AND NEW.body ->> 'rework' IS NULL
               THEN RAISE(ABORT, 'a number has shipped')
           END
    FROM json_each(NEW.body, '$.numbers') AS one CROSS JOIN serial ON serial.text = one.value ->> 'text';
    SELECT CASE
               WHEN pool.state <> 'open' THEN RAISE(ABORT, 'the pool of a number is closed')
               WHEN (SELECT burned.last FROM burned
                     WHERE burned.pool = pool.name AND burned.first <= one.value ->> 'number'
                     ORDER BY burned.first DESC LIMIT 1) >= one.value ->> 'number'
               THEN RAISE(ABORT, 'a number is burned')
               WHEN EXISTS (SELECT 1 FROM serial AS held
                            WHERE held.uid = NEW.body ->> 'uid' AND held.pool = pool.name AND held.state <> 'burned')
               THEN RAISE(ABORT, 'the chip has a number of that pool, and keeps it')
           END
    FROM json_each(NEW.body, '$.numbers') AS one CROSS JOIN pool ON pool.name = one.value ->> 'pool'
    WHERE NOT EXISTS (SELECT 1 FROM serial WHERE serial.text = one.value ->> 'text');

    UPDATE pool
    SET issued = pool.issued + moved.fresh, next = max(pool.next, moved.last + pool.step),
        gapless = iif((max(pool.next, moved.last + pool.step) - pool.first) / pool.step = pool.issued + moved.fresh,
                      max(pool.next, moved.last + pool.step), pool.gapless),
        reserved = pool.reserved + iif(NEW.body ->> 'uid' IS NULL, moved.fresh, 0),
        bound = pool.bound + iif(NEW.body ->> 'uid' IS NULL, 0, moved.count), pass = pool.pass - moved.pass,
        fail = pool.fail - moved.fail, unknown = pool.unknown - moved.unknown,
        returned = pool.returned - moved.returned, fact = NEW.sequence
    FROM (SELECT one.value ->> 'pool' AS pool, max(one.value ->> 'number') AS last, count(*) AS count,
                 sum(serial.state IS NULL) AS fresh, sum(serial.state IS 'pass') AS pass,
                 sum(serial.state IS 'fail') AS fail, sum(serial.state IS 'unknown') AS unknown,
                 sum(serial.state IS 'returned') AS returned
          FROM json_each(NEW.body, '$.numbers') AS one LEFT JOIN serial ON serial.text = one.value ->> 'text'
          WHERE one.value ->> 'pool' IS NOT NULL
          GROUP BY one.value ->> 'pool') AS moved
    WHERE pool.name = moved.pool;

    UPDATE serial
    SET before = state, state = 'bound', run = NEW.body ->> 'id', job = NEW.body ->> 'job', attempts = attempts + 1,
        reason = NEW.body ->> 'rework', "by" = NEW.body ->> 'by', updated = NEW.utc, fact = NEW.sequence
    WHERE text IN (SELECT one.value ->> 'text' FROM json_each(NEW.body, '$.numbers') AS one);

    INSERT INTO serial (text, pool, number, state, run, uid, attempts, job, reason, "by", updated, fact)
    SELECT one.value ->> 'text', one.value ->> 'pool', one.value ->> 'number',
           iif(NEW.body ->> 'uid' IS NULL, 'reserved', 'bound'), NEW.body ->> 'id', NEW.body ->> 'uid', 1,
           NEW.body ->> 'job', NEW.body ->> 'rework', NEW.body ->> 'by', NEW.utc, NEW.sequence
    FROM json_each(NEW.body, '$.numbers') AS one
    WHERE NOT EXISTS (SELECT 1 FROM serial WHERE serial.text = one.value ->> 'text' AND serial.attempts > 1);

    INSERT INTO run_pool (pool, run)
    SELECT DISTINCT one.value ->> 'pool', NEW.body ->> 'id'
    FROM json_each(NEW.body, '$.numbers') AS one
    WHERE one.value ->> 'pool' IS NOT NULL;
END;

CREATE TRIGGER fact_run_numbers_ended AFTER INSERT ON ledger
WHEN NEW.kind = 'run.ended' AND (SELECT numbers FROM run WHERE id = NEW.body ->> 'id') IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a run ends with the numbers that it took')
    FROM run CROSS JOIN json_each(run.numbers) AS one LEFT JOIN serial ON serial.text = one.value ->> 'text'
    WHERE run.id = NEW.body ->> 'id'
          AND (serial.run IS NOT run.id OR NOT (serial.state = 'reserved' OR serial.state = 'bound'));

    UPDATE pool
    SET reserved = pool.reserved - moved.reserved, bound = pool.bound - moved.bound, pass = pool.pass + moved.pass,
        fail = pool.fail + moved.fail, unknown = pool.unknown + moved.unknown,
        returned = pool.returned + moved.returned, fact = NEW.sequence
    FROM (SELECT pool, sum(state = 'reserved') AS reserved, sum(state = 'bound') AS bound,
                 sum(becomes = 'pass') AS pass, sum(becomes = 'fail') AS fail, sum(becomes = 'unknown') AS unknown,
                 sum(becomes = 'returned') AS returned
          FROM (SELECT serial.pool AS pool, serial.state AS state,
                       iif(NEW.body ->> 'outcome' = 'aborted', coalesce(serial.before, 'returned'),
                           NEW.body ->> 'outcome') AS becomes
                FROM run CROSS JOIN json_each(run.numbers) AS one CROSS JOIN serial ON serial.text = one.value ->> 'text'
                WHERE run.id = NEW.body ->> 'id' AND serial.pool IS NOT NULL)
          GROUP BY pool) AS moved
    WHERE pool.name = moved.pool;

    UPDATE serial
    SET state = iif(NEW.body ->> 'outcome' = 'aborted', coalesce(before, 'returned'), NEW.body ->> 'outcome'),
        before = NULL, uid = coalesce(uid, NEW.body ->> 'uid'), updated = NEW.utc, fact = NEW.sequence
    WHERE text IN (SELECT one.value ->> 'text' FROM run CROSS JOIN json_each(run.numbers) AS one
                   WHERE run.id = NEW.body ->> 'id');
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
               WHEN recipe IS NOT NEW.body ->> '$.recipe.name' OR recipe_version IS NOT NEW.body ->> '$.recipe.version'
                    OR recipe_hash IS NOT NEW.body ->> '$.recipe.hash'
               THEN RAISE(ABORT, 'the recipe of the run is not that of its job')
           END
    -- An id that is taken is for the key of the table to refuse: it has a number of its own.
    FROM job WHERE id = NEW.body ->> 'job' AND NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.body ->> 'id');
    SELECT RAISE(ABORT, 'the station has a run that has not ended')
    FROM run WHERE station = NEW.body ->> 'station' AND outcome IS NULL AND id <> NEW.body ->> 'id';
    SELECT RAISE(ABORT, 'this unit has shipped under its serial: it is touched only for rework')
    FROM serial LEFT JOIN pool ON pool.name = serial.pool
    WHERE serial.uid = NEW.body ->> 'uid' AND serial.state = 'pass' AND NEW.body ->> 'rework' IS NULL
          AND (pool.kind IS NULL OR pool.kind = 'serial');

    INSERT INTO run (id, job, station, port, chip, chip_id, image, images, work_order, uid, serial, started,
                     "by", version, fact, recipe, recipe_version, recipe_hash, fixture, numbers, unit,
                     unit_data_sha256, rework, code, opened)
    VALUES (NEW.body ->> 'id', NEW.body ->> 'job', NEW.body ->> 'station', NEW.body ->> 'port',
            NEW.body ->> 'chip', NEW.body ->> 'chip_id', NEW.body ->> '$.images[0]', NEW.body -> 'images',
            NEW.body ->> 'work_order', NEW.body ->> 'uid', NEW.body ->> 'serial', NEW.body ->> 'started',
            NEW.body ->> 'by', NEW.body ->> 'version', NEW.sequence, NEW.body ->> '$.recipe.name',
            NEW.body ->> '$.recipe.version', NEW.body ->> '$.recipe.hash', NEW.body ->> 'fixture',
            nullif(nullif(NEW.body -> 'numbers', 'null'), '[]'), nullif(NEW.body -> 'unit', 'null'),
            NEW.body ->> 'unit_data_sha256', NEW.body ->> 'rework', NEW.body ->> 'code', NEW.sequence);

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

CREATE TRIGGER fact_serial_settled AFTER INSERT ON ledger WHEN NEW.kind = 'serial.settled'
BEGIN
    SELECT RAISE(ABORT, 'the number is unknown to the record')
    WHERE NOT EXISTS (SELECT 1 FROM serial WHERE text = NEW.body ->> 'serial');
    SELECT RAISE(ABORT, 'a number is settled with a reason')
    WHERE coalesce(NEW.body ->> 'reason', '') = '';
    SELECT RAISE(ABORT, 'a number is settled by somebody: a person, or by what was read back')
    WHERE coalesce(NEW.body ->> 'by', '') = ''
          OR NOT coalesce(NEW.body ->> 'how' = 'person' OR NEW.body ->> 'how' = 'read-back', 0);
    SELECT RAISE(ABORT, 'a number does not go from its state to that one')
    FROM serial
    WHERE text = NEW.body ->> 'serial'
          AND NOT coalesce((state = 'unknown' AND (NEW.body ->> 'state' = 'pass' OR NEW.body ->> 'state' = 'fail'))
                           OR (NEW.body ->> 'state' = 'burned'
                               AND (state = 'unknown' OR state = 'fail' OR state = 'pass')), 0);

    UPDATE pool
    SET unknown = unknown - (serial.state = 'unknown'),
        pass = pass - (serial.state = 'pass') + (NEW.body ->> 'state' = 'pass'),
        fail = fail - (serial.state = 'fail') + (NEW.body ->> 'state' = 'fail'),
        burned = burned + (NEW.body ->> 'state' = 'burned'), fact = NEW.sequence
    FROM serial
    WHERE serial.text = NEW.body ->> 'serial' AND pool.name = serial.pool;

    UPDATE serial
    SET state = NEW.body ->> 'state', reason = NEW.body ->> 'reason', "by" = NEW.body ->> 'by', updated = NEW.utc,
        fact = NEW.sequence
    WHERE text = NEW.body ->> 'serial';
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

CREATE TRIGGER fact_webhook_state AFTER INSERT ON ledger WHEN NEW.kind = 'webhook.state'
BEGIN
    SELECT RAISE(ABORT, 'the webhook was removed')
    FROM webhook WHERE id = NEW.body ->> 'id' AND state = 'removed';

    INSERT INTO webhook (id, url, topics, state, reason, "by", created, updated, fact)
    VALUES (NEW.body ->> 'id', NEW.body ->> 'url', NEW.body -> 'topics', NEW.body ->> 'state', NEW.body ->> 'reason',
            NEW.body ->> 'by', NEW.utc, NEW.utc, NEW.sequence)
    ON CONFLICT (id) DO UPDATE
    SET url = excluded.url, topics = excluded.topics, state = excluded.state, reason = excluded.reason,
        "by" = excluded."by", updated = excluded.updated, fact = excluded.fact;
END;

CREATE TRIGGER ledger_continues BEFORE INSERT ON ledger
WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM ledger)
BEGIN
    SELECT RAISE(ABORT, 'the ledger goes on with the next sequence and nothing else');
END;

CREATE TRIGGER ledger_kind BEFORE INSERT ON ledger
WHEN NOT (NEW.kind = 'run.started' OR NEW.kind = 'run.ended' OR NEW.kind = 'daemon.started' OR NEW.kind = 'daemon.stopped'
          OR NEW.kind = 'image.added' OR NEW.kind = 'image.signed' OR NEW.kind = 'job.submitted'
          OR NEW.kind = 'job.state' OR NEW.kind = 'station.state' OR NEW.kind = 'station.enabled'
          OR NEW.kind = 'pool.created' OR NEW.kind = 'pool.state' OR NEW.kind = 'pool.burned'
          OR NEW.kind = 'serial.settled' OR NEW.kind = 'recipe.saved' OR NEW.kind = 'recipe.state'
          OR NEW.kind = 'ledger.checkpoint' OR NEW.kind = 'backup.made' OR NEW.kind = 'record.restored'
          OR NEW.kind = 'webhook.state' OR NEW.kind = 'access.login' OR NEW.kind = 'access.logout'
          OR NEW.kind = 'access.key' OR NEW.kind = 'access.user')
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

CREATE TRIGGER pool_delete BEFORE DELETE ON pool BEGIN SELECT RAISE(ABORT, 'pool is made from the ledger'); END;

CREATE TRIGGER pool_insert BEFORE INSERT ON pool WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'pool is made from the ledger'); END;

CREATE TRIGGER pool_update BEFORE UPDATE ON pool
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'pool is made from the ledger'); END;

CREATE TRIGGER pool_item_delete BEFORE DELETE ON pool_item
BEGIN SELECT RAISE(ABORT, 'pool_item is made from the ledger'); END;

CREATE TRIGGER pool_item_insert BEFORE INSERT ON pool_item WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'pool_item is made from the ledger'); END;

CREATE TRIGGER pool_item_update BEFORE UPDATE ON pool_item
BEGIN SELECT RAISE(ABORT, 'pool_item is made from the ledger'); END;

CREATE TRIGGER recipe_delete BEFORE DELETE ON recipe
BEGIN SELECT RAISE(ABORT, 'recipe is made from the ledger'); END;

CREATE TRIGGER recipe_insert BEFORE INSERT ON recipe WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'recipe is made from the ledger'); END;

CREATE TRIGGER recipe_update BEFORE UPDATE ON recipe
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'recipe is made from the ledger'); END;

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

CREATE TRIGGER run_pool_delete BEFORE DELETE ON run_pool
BEGIN SELECT RAISE(ABORT, 'run_pool is made from the ledger'); END;

CREATE TRIGGER run_pool_update BEFORE UPDATE ON run_pool
BEGIN SELECT RAISE(ABORT, 'run_pool is made from the ledger'); END;

CREATE TRIGGER serial_delete BEFORE DELETE ON serial
BEGIN SELECT RAISE(ABORT, 'serial is made from the ledger'); END;

CREATE TRIGGER serial_insert BEFORE INSERT ON serial WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'serial is made from the ledger'); END;

CREATE TRIGGER serial_keeps BEFORE UPDATE ON serial
WHEN NEW.text IS NOT OLD.text OR NEW.pool IS NOT OLD.pool OR NEW.number IS NOT OLD.number OR OLD.state = 'burned'
     OR (OLD.uid IS NOT NULL AND NEW.uid IS NOT OLD.uid)
BEGIN
    SELECT RAISE(ABORT, 'a number is what it is');
END;

CREATE TRIGGER serial_update BEFORE UPDATE ON serial
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'serial is made from the ledger'); END;

CREATE TRIGGER station_delete BEFORE DELETE ON station
BEGIN SELECT RAISE(ABORT, 'station is made from the ledger'); END;

CREATE TRIGGER station_insert BEFORE INSERT ON station WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'station is made from the ledger'); END;

CREATE TRIGGER station_update BEFORE UPDATE ON station
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'station is made from the ledger'); END;

CREATE TRIGGER tally_closes AFTER INSERT ON tally WHEN NEW.span = 300
BEGIN
    INSERT INTO tally (span, start, station, job, runs, pass, fail, aborted, unknown, cancelled, units, first_pass,
                       passed_units, us, floor_us, wire_us, target_us, host_us, retry_us, timed_runs, bytes, fact)
    SELECT 3600, last.start, station, job, sum(tally.runs), sum(tally.pass), sum(tally.fail),
           sum(tally.aborted), sum(tally.unknown), sum(tally.cancelled), sum(tally.units), sum(tally.first_pass),
           sum(tally.passed_units), sum(tally.us), sum(tally.floor_us), sum(tally.wire_us), sum(tally.target_us),
           sum(tally.host_us), sum(tally.retry_us), sum(tally.timed_runs), sum(tally.bytes), NEW.fact
    FROM (SELECT max(start) / 3600 * 3600 AS start FROM tally WHERE span = 300 AND start < NEW.start / 3600 * 3600)
         AS last
         CROSS JOIN tally ON tally.span = 300 AND tally.start >= last.start AND tally.start < last.start + 3600
    WHERE NOT EXISTS (SELECT 1 FROM tally AS closed WHERE closed.span = 3600 AND closed.start = last.start)
    GROUP BY station, job;
END;

CREATE TRIGGER tally_delete BEFORE DELETE ON tally BEGIN SELECT RAISE(ABORT, 'tally is made from the ledger'); END;

CREATE TRIGGER tally_insert BEFORE INSERT ON tally WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'tally is made from the ledger'); END;

CREATE TRIGGER tally_late AFTER INSERT ON tally
WHEN NEW.span = 300
     AND EXISTS (SELECT 1 FROM tally WHERE span = 300 AND start >= NEW.start / 3600 * 3600 + 3600)
BEGIN
    INSERT INTO tally (span, start, station, job, runs, pass, fail, aborted, unknown, cancelled, units, first_pass,
                       passed_units, us, floor_us, wire_us, target_us, host_us, retry_us, timed_runs, bytes, fact)
    VALUES (3600, NEW.start / 3600 * 3600, NEW.station, NEW.job, NEW.runs, NEW.pass, NEW.fail, NEW.aborted,
            NEW.unknown, NEW.cancelled, NEW.units, NEW.first_pass, NEW.passed_units, NEW.us, NEW.floor_us,
            NEW.wire_us, NEW.target_us, NEW.host_us, NEW.retry_us, NEW.timed_runs, NEW.bytes, NEW.fact)
    ON CONFLICT (span, start, station, job) DO UPDATE
    SET runs = runs + excluded.runs, pass = pass + excluded.pass, fail = fail + excluded.fail,
        aborted = aborted + excluded.aborted, unknown = unknown + excluded.unknown,
        cancelled = cancelled + excluded.cancelled, units = units + excluded.units,
        first_pass = first_pass + excluded.first_pass, passed_units = passed_units + excluded.passed_units,
        us = us + excluded.us, floor_us = floor_us + excluded.floor_us, wire_us = wire_us + excluded.wire_us,
        target_us = target_us + excluded.target_us, host_us = host_us + excluded.host_us,
        retry_us = retry_us + excluded.retry_us, timed_runs = timed_runs + excluded.timed_runs,
        bytes = bytes + excluded.bytes, fact = excluded.fact;
END;

CREATE TRIGGER tally_later AFTER UPDATE ON tally
WHEN NEW.span = 300
     AND EXISTS (SELECT 1 FROM tally WHERE span = 300 AND start >= NEW.start / 3600 * 3600 + 3600)
BEGIN
    UPDATE tally
    SET runs = runs + NEW.runs - OLD.runs, pass = pass + NEW.pass - OLD.pass, fail = fail + NEW.fail - OLD.fail,
        aborted = aborted + NEW.aborted - OLD.aborted, unknown = unknown + NEW.unknown - OLD.unknown,
        cancelled = cancelled + NEW.cancelled - OLD.cancelled, units = units + NEW.units - OLD.units,
        first_pass = first_pass + NEW.first_pass - OLD.first_pass,
        passed_units = passed_units + NEW.passed_units - OLD.passed_units, us = us + NEW.us - OLD.us,
        floor_us = floor_us + NEW.floor_us - OLD.floor_us, wire_us = wire_us + NEW.wire_us - OLD.wire_us,
        target_us = target_us + NEW.target_us - OLD.target_us, host_us = host_us + NEW.host_us - OLD.host_us,
        retry_us = retry_us + NEW.retry_us - OLD.retry_us,
        timed_runs = timed_runs + NEW.timed_runs - OLD.timed_runs, bytes = bytes + NEW.bytes - OLD.bytes,
        fact = NEW.fact
    WHERE span = 3600 AND start = NEW.start / 3600 * 3600 AND station = NEW.station AND job = NEW.job;
END;

CREATE TRIGGER tally_update BEFORE UPDATE ON tally
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'tally is made from the ledger'); END;

CREATE TRIGGER tally_class_delete BEFORE DELETE ON tally_class
BEGIN SELECT RAISE(ABORT, 'tally_class is made from the ledger'); END;

CREATE TRIGGER tally_class_insert BEFORE INSERT ON tally_class WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'tally_class is made from the ledger'); END;

CREATE TRIGGER tally_class_update BEFORE UPDATE ON tally_class
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'tally_class is made from the ledger'); END;

CREATE TRIGGER taught_delete BEFORE DELETE ON taught BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;

CREATE TRIGGER taught_insert BEFORE INSERT ON taught WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;

CREATE TRIGGER taught_update BEFORE UPDATE ON taught BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;

CREATE TRIGGER tile_delete BEFORE DELETE ON tile BEGIN SELECT RAISE(ABORT, 'tile is made from the ledger'); END;

CREATE TRIGGER tile_insert BEFORE INSERT ON tile WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'tile is made from the ledger'); END;

CREATE TRIGGER tile_update BEFORE UPDATE ON tile BEGIN SELECT RAISE(ABORT, 'tile is made from the ledger'); END;

CREATE TRIGGER units_made_delete BEFORE DELETE ON units_made
BEGIN SELECT RAISE(ABORT, 'units_made is made from the ledger'); END;

CREATE TRIGGER units_made_insert BEFORE INSERT ON units_made
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'units_made is made from the ledger'); END;

CREATE TRIGGER units_made_update BEFORE UPDATE ON units_made
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'units_made is made from the ledger'); END;

CREATE TRIGGER webhook_delete BEFORE DELETE ON webhook
BEGIN SELECT RAISE(ABORT, 'webhook is made from the ledger'); END;

CREATE TRIGGER webhook_insert BEFORE INSERT ON webhook WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'webhook is made from the ledger'); END;

CREATE TRIGGER webhook_update BEFORE UPDATE ON webhook
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'webhook is made from the ledger'); END;


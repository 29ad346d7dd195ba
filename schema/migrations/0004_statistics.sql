-- SPDX-License-Identifier: Apache-2.0
-- What is asked of many runs at once: counted as they end, so that nobody reads them all again.

-- How the programmer and the board understood each other, as run.ended says it.
ALTER TABLE run ADD COLUMN link TEXT CONSTRAINT "link is an object" CHECK (json_type(link) = 'object');

-- For the pace of the last hour, which reads nothing else of a run.
CREATE INDEX run_passed ON run (ended, station, job, outcome) WHERE outcome = 'pass';

-- Runs by the time when they ended: `span` seconds from `start` (seconds since 1970, UTC). Once a run has ended in
-- a later hour, an hour has rows of its own, the sums of its parts of 300 s.
--
-- A unit is known by its chip's UID, else by its serial; a run that passed without either is a unit of its own.
-- Two runs of a job are of one unit when they have the same UID, or the same serial and not both a UID. `units`
-- counts those whose first run in the job ended then, `first_pass` those among them that passed with nothing
-- held against them, `passed_units` those that passed for the first time in the job. Cancelled runs are counted
-- as such and nowhere else. Times and bytes are of `timed_runs`: those that passed and say their times.
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

CREATE INDEX tally_job ON tally (job, span, start);

-- The runs of a tally that failed, by their class; where the record names none, by their outcome.
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

CREATE INDEX tally_class_job ON tally_class (job, span, start);

-- Runs that ended without a UID, a serial and a pass: nobody knows which board that was, so that they are held
-- against the next unit at that station in that job.
CREATE TABLE held (
    station TEXT NOT NULL,
    job     INTEGER NOT NULL REFERENCES job (id),
    runs    INTEGER NOT NULL CHECK (runs >= 0),
    fact    INTEGER NOT NULL,
    PRIMARY KEY (station, job)
) STRICT, WITHOUT ROWID;

-- The runs that are there already -------------------------------------------------------------------------

DROP TRIGGER run_update;
UPDATE run
SET link = details -> 'link', details = json_remove(details, '$.link')
WHERE details -> 'link' IS NOT NULL AND details -> 'link' <> 'null';
CREATE TRIGGER run_update BEFORE UPDATE ON run
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'run is made from the ledger'); END;

-- Runs that are held against the next one at their station in their job (`blamed`), and those next ones (`after`).
CREATE TABLE past (
    run     INTEGER PRIMARY KEY,
    station TEXT NOT NULL,
    job     INTEGER NOT NULL,
    fact    INTEGER NOT NULL,
    blamed  INTEGER NOT NULL,
    after   INTEGER NOT NULL
) STRICT;

INSERT INTO past (run, station, job, fact, blamed, after)
SELECT id, station, job, fact, blamed, after
FROM (SELECT id, station, job, fact, uid IS NULL AND serial IS NULL AND outcome <> 'pass' AS blamed,
             lag(uid IS NULL AND serial IS NULL AND outcome <> 'pass', 1, 0)
             OVER (PARTITION BY station, job ORDER BY fact) AS after
      FROM run
      WHERE outcome IS NOT NULL AND class IS NOT 'cancelled')
WHERE blamed OR after;

INSERT INTO held (station, job, runs, fact)
SELECT station, job,
       sum(blamed AND fact > coalesce((SELECT max(unit.fact) FROM past AS unit
                                       WHERE unit.station = past.station AND unit.job = past.job
                                             AND NOT unit.blamed), 0)),
       max(fact)
FROM past
GROUP BY station, job;

-- A record has up to 8 phases. The limit keeps what is said below of a run from being worked out once for each
-- place where it is used.
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
             EXISTS (SELECT 1 FROM past WHERE past.run = this.id AND past.after) AS after,
             coalesce(outcome = 'pass' AND json_type(details, '$.phases[0]') = 'object'
                      AND details ->> 'floor_us' IS NOT NULL, 0) AS timed,
             CAST(coalesce(details ->> '$.phases[0].us', 0) + coalesce(details ->> '$.phases[1].us', 0)
                      + coalesce(details ->> '$.phases[2].us', 0) + coalesce(details ->> '$.phases[3].us', 0)
                      + coalesce(details ->> '$.phases[4].us', 0) + coalesce(details ->> '$.phases[5].us', 0)
                      + coalesce(details ->> '$.phases[6].us', 0)
                      + coalesce(details ->> '$.phases[7].us', 0) AS INTEGER) AS us,
             coalesce(CAST(details ->> 'floor_us' AS INTEGER), 0) AS floor_us,
             coalesce(CAST(details ->> 'bytes' AS INTEGER), 0) AS bytes,
             coalesce(details ->> '$.shares.wire', 0) AS wire,
             coalesce(details ->> '$.shares.target', 0) AS target,
             coalesce(details ->> '$.shares.host', 0) AS host,
             coalesce(details ->> '$.shares.retry', 0) AS retry
      FROM (SELECT *, (SELECT min(first.id) FROM run AS first WHERE first.job = run.job) AS began
            FROM run WHERE outcome IS NOT NULL) AS this
      LIMIT -1) AS this
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

DROP TABLE past;

-- `fact` of an hour: that of the first run in a later hour, when it got its rows, or of its own last run.
CREATE TABLE hour (start INTEGER PRIMARY KEY, fact INTEGER NOT NULL) STRICT;

INSERT INTO hour (start, fact)
SELECT unixepoch(substr(ended, 1, 19)) / 3600 * 3600, fact FROM run WHERE outcome IS NOT NULL
ON CONFLICT (start) DO UPDATE SET fact = min(fact, excluded.fact);

INSERT INTO tally (span, start, station, job, runs, pass, fail, aborted, unknown, cancelled, units, first_pass,
                   passed_units, us, floor_us, wire_us, target_us, host_us, retry_us, timed_runs, bytes, fact)
SELECT 3600, start / 3600 * 3600 AS its_hour, station, job, sum(runs), sum(pass), sum(fail), sum(aborted),
       sum(unknown), sum(cancelled), sum(units), sum(first_pass), sum(passed_units), sum(us), sum(floor_us),
       sum(wire_us), sum(target_us), sum(host_us), sum(retry_us), sum(timed_runs), sum(bytes),
       max(max(fact), (SELECT min(hour.fact) FROM hour WHERE hour.start > tally.start / 3600 * 3600))
FROM tally
GROUP BY its_hour, station, job
HAVING its_hour < (SELECT max(start) FROM hour);

DROP TABLE hour;

INSERT INTO tally_class (span, start, station, job, class, count, fact)
SELECT span.value, unixepoch(substr(ended, 1, 19)) / span.value * span.value, station, job, coalesce(class, outcome),
       1, fact
FROM run CROSS JOIN json_each('[300,3600]') AS span
WHERE outcome <> 'pass' AND class IS NOT 'cancelled'
ON CONFLICT (span, start, station, job, class) DO UPDATE SET count = count + 1, fact = max(fact, excluded.fact);

-- Nobody writes these by hand -----------------------------------------------------------------------------

CREATE TRIGGER tally_insert BEFORE INSERT ON tally WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'tally is made from the ledger'); END;
CREATE TRIGGER tally_update BEFORE UPDATE ON tally
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'tally is made from the ledger'); END;
CREATE TRIGGER tally_delete BEFORE DELETE ON tally BEGIN SELECT RAISE(ABORT, 'tally is made from the ledger'); END;

CREATE TRIGGER tally_class_insert BEFORE INSERT ON tally_class WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'tally_class is made from the ledger'); END;
CREATE TRIGGER tally_class_update BEFORE UPDATE ON tally_class
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'tally_class is made from the ledger'); END;
CREATE TRIGGER tally_class_delete BEFORE DELETE ON tally_class
BEGIN SELECT RAISE(ABORT, 'tally_class is made from the ledger'); END;

CREATE TRIGGER held_insert BEFORE INSERT ON held WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'held is made from the ledger'); END;
CREATE TRIGGER held_update BEFORE UPDATE ON held
WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger) OR NEW.fact <= OLD.fact
BEGIN SELECT RAISE(ABORT, 'held is made from the ledger'); END;
CREATE TRIGGER held_delete BEFORE DELETE ON held BEGIN SELECT RAISE(ABORT, 'held is made from the ledger'); END;

-- A run that ends -----------------------------------------------------------------------------------------

DROP TRIGGER fact_run_ended;
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

-- Hours of a tally ----------------------------------------------------------------------------------------

-- The first row in an hour closes the one before, and with it the last that is still without rows of its own.
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

-- A run that ends in an hour that is closed: the clock was put back.
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

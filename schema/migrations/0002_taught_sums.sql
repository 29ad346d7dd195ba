-- SPDX-License-Identifier: Apache-2.0
-- What chips that cannot be read say of content that was programmed into one of them twice: the sums by which the
-- next units are verified. The first teacher of a content stays; who that was, and how, is in its run.

CREATE TABLE taught (
    content TEXT PRIMARY KEY CONSTRAINT "content is a digest and a chip" CHECK (content GLOB '????????????????* ?*'),
    run     INTEGER NOT NULL REFERENCES run (id),
    sums    TEXT NOT NULL CONSTRAINT "sums is an array" CHECK (json_type(sums) = 'array'),
    fact    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER taught_insert BEFORE INSERT ON taught WHEN NEW.fact IS NOT (SELECT max(sequence) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;
CREATE TRIGGER taught_update BEFORE UPDATE ON taught BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;
CREATE TRIGGER taught_delete BEFORE DELETE ON taught BEGIN SELECT RAISE(ABORT, 'taught is made from the ledger'); END;

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

-- Generated columns, stored and virtual, with an index on one.
CREATE TABLE t(w INT, h INT, area INT GENERATED ALWAYS AS (w * h) STORED, label TEXT AS (w || 'x' || h) VIRTUAL, CHECK (area < 1000));
INSERT INTO t(w, h) VALUES (2, 3), (10, 20), (7, 7);
SELECT * FROM t;
INSERT INTO t(w, h, area) VALUES (1, 1, 1);
INSERT INTO t(w, h) VALUES (100, 100);
CREATE INDEX t_label ON t(label);
SELECT w FROM t WHERE label = '7x7';
UPDATE t SET h = 30 WHERE w = 10;
SELECT area, label FROM t WHERE w = 10;
ALTER TABLE t ADD COLUMN twice INT AS (area * 2);
SELECT twice FROM t ORDER BY 1;
ALTER TABLE t ADD COLUMN bad INT AS (area * 2) STORED;
PRAGMA table_xinfo(t);
PRAGMA integrity_check;

-- Cache settings change what is kept in memory and nothing else.
PRAGMA cache_size = 5;
PRAGMA cache_spill = 1;
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
BEGIN;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
SELECT count(*), sum(length(v)) FROM t;
PRAGMA shrink_memory;
UPDATE t SET v = 'changed' WHERE id % 100 = 0;
SELECT count(*) FROM t WHERE v = 'changed';
COMMIT;
PRAGMA cache_size = -2000;
SELECT count(*), sum(length(v)) FROM t;
PRAGMA cache_spill = OFF;
PRAGMA cache_size;
PRAGMA integrity_check;

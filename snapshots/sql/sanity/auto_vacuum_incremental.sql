-- Incremental vacuum gives back as many pages as asked; changing the mode needs a VACUUM.
PRAGMA auto_vacuum = INCREMENTAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 400)
INSERT INTO t SELECT i, zeroblob(3000) FROM c;
DELETE FROM t WHERE id <= 300;
PRAGMA freelist_count;
PRAGMA incremental_vacuum(10);
PRAGMA freelist_count;
PRAGMA incremental_vacuum;
PRAGMA freelist_count;
PRAGMA page_count;
PRAGMA auto_vacuum = NONE;
PRAGMA auto_vacuum;
VACUUM;
PRAGMA auto_vacuum;
--@ reopen
PRAGMA auto_vacuum;
SELECT count(*), min(id), max(id) FROM t;
PRAGMA integrity_check;

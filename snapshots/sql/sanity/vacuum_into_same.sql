-- VACUUM INTO another database of the same VFS, which must be new.
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)
INSERT INTO t SELECT i, printf('value %d', i) FROM c;
DELETE FROM t WHERE id > 250;
VACUUM INTO 'file:$DIR/copy.db?vfs=$VFS';
--@ open copy copy.db
SELECT count(*), max(v) FROM t;
PRAGMA page_count;
PRAGMA freelist_count;
PRAGMA integrity_check;
INSERT INTO t(v) VALUES ('more');
SELECT max(id) FROM t;
--@ on main
SELECT max(id) FROM t;
VACUUM INTO 'file:$DIR/copy.db?vfs=$VFS';

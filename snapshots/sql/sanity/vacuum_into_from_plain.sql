-- VACUUM INTO from a plain file to a database of this VFS.
--@ open plain plain.db?vfs=unix
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
CREATE INDEX t_v ON t(v);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)
INSERT INTO t SELECT i, printf('value %d', i) FROM c;
PRAGMA user_version = 42;
VACUUM INTO 'file:$DIR/copy.db?vfs=$VFS';
--@ close
--@ open copy copy.db
SELECT count(*), max(v) FROM t;
SELECT id FROM t WHERE v = 'value 321';
PRAGMA user_version;
PRAGMA integrity_check;

-- A lazy replica writes complete plain copies of itself.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
INSERT INTO t SELECT i, printf('%050d', i) FROM c;
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_export = '$DIR/exported.db';
VACUUM INTO '$DIR/vacuumed.db';
--@ open plain exported.db?vfs=unix
SELECT count(*), sum(length(v)) FROM t;
PRAGMA integrity_check;
--@ open plain2 vacuumed.db?vfs=unix
SELECT count(*), sum(length(v)) FROM t;
--@ on a
PRAGMA graft_export = '$DIR/from_a.db';
--@ same exported.db from_a.db

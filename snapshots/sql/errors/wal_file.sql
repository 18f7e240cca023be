-- A database whose header says WAL comes in by backup and by VACUUM INTO as one that does not.
--@ vfs graft
--@ open wal wal.db?vfs=unix
PRAGMA journal_mode = WAL;
CREATE TABLE t(v);
INSERT INTO t VALUES ('from a WAL file');
VACUUM INTO 'file:$DIR/vacuumed.graft?vfs=graft';
--@ open main main.db
--@ backup wal main
SELECT * FROM t;
INSERT INTO t VALUES ('more');
PRAGMA journal_mode;
--@ reopen
SELECT * FROM t;
PRAGMA journal_mode;
PRAGMA integrity_check;
--@ open vacuumed vacuumed.graft
SELECT * FROM t;
INSERT INTO t VALUES ('more');
PRAGMA integrity_check;

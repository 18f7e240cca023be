-- WAL cannot be had: the answer is the mode in force, and nothing else changes.
--@ vfs graft
PRAGMA journal_mode = WAL;
CREATE TABLE t(v INT);
PRAGMA journal_mode = wal;
INSERT INTO t VALUES (1);
PRAGMA journal_mode = TRUNCATE;
PRAGMA journal_mode = WAL;
PRAGMA main.journal_mode = WAL;
PRAGMA wal_checkpoint;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
INSERT INTO t VALUES (2);
--@ reopen
SELECT * FROM t;
PRAGMA journal_mode;
--@ exists main.db-wal
--@ exists main.db-journal
PRAGMA integrity_check;

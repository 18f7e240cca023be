-- A file of the directory that is gone is an error or restored from what is there, never a new, empty database.
--@ vfs graft
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO t VALUES (1, 'safe');
--@ close
--@ copy main.db good.db
--@ log on
--@ remove main.db/config
--@ open config main.db
SELECT * FROM t;
--@ close
--@ copy good.db main.db
--@ open again main.db
SELECT * FROM t;
--@ close
--@ remove main.db/image
--@ open image main.db
SELECT * FROM t;
--@ close
--@ remove main.db
--@ copy good.db main.db
--@ remove main.db/table
--@ open table main.db
SELECT * FROM t;
--@ close
--@ remove main.db
--@ copy good.db main.db
--@ remove main.db/log.0
--@ open log main.db
SELECT * FROM t;
--@ close
--@ remove main.db
--@ copy good.db main.db
--@ remove main.db/lock
--@ open lock main.db
SELECT * FROM t;
PRAGMA integrity_check;

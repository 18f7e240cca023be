-- A flipped or cut log never gives wrong rows: what was folded stays, what cannot be trusted is an error or gone as a whole.
--@ vfs graft
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
--@ repeat 10 INSERT INTO t VALUES ($I)
--@ copy main.db cut.db
--@ copy main.db flipped.db
--@ copy main.db future.db
--@ copy main.db gone.db
--@ close
--@ log on
--@ truncate cut.db/log.0 9000
--@ open cut cut.db
SELECT count(*) <= 11 FROM t;
PRAGMA integrity_check;
--@ flip future.db/log.0 8
--@ open future future.db
SELECT count(*) FROM t;
--@ flip flipped.db/log.0 40
--@ open flipped flipped.db
SELECT count(*) FROM t;
--@ log off
--@ open main2 main.db
SELECT count(*) FROM t;
PRAGMA integrity_check;

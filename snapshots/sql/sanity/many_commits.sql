-- Hundreds of small transactions, on one connection and then on two in turn.
CREATE TABLE t(id INTEGER PRIMARY KEY, v INT);
--@ repeat 150 INSERT INTO t VALUES ($I, $I * $I)
SELECT count(*), sum(v) FROM t;
--@ open other main.db
--@ repeat 50 UPDATE t SET v = v + 1 WHERE id = $I
--@ on main
--@ repeat 50 UPDATE t SET v = v + 1 WHERE id = $I + 25
SELECT count(*), sum(v) FROM t;
--@ on other
SELECT count(*), sum(v) FROM t;
PRAGMA integrity_check;

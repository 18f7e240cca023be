-- Another connection's statements notice a changed schema.
--@ wal
CREATE TABLE t(a INT);
INSERT INTO t VALUES (1);
--@ open b main.db
SELECT * FROM t;
--@ on main
ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'new';
CREATE INDEX t_b ON t(b);
--@ on b
SELECT * FROM t;
INSERT INTO t VALUES (2, 'two');
SELECT a FROM t INDEXED BY t_b WHERE b = 'two';
--@ on main
DROP TABLE t;
--@ on b
SELECT * FROM t;
CREATE TABLE t(other);
--@ on main
SELECT count(*) FROM t;

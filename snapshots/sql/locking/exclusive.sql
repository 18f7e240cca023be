-- BEGIN EXCLUSIVE keeps writers out; readers go on with the last commit.
--@ wal
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
--@ open b main.db
--@ on main
BEGIN EXCLUSIVE;
UPDATE t SET v = 2;
--@ on b
SELECT * FROM t;
BEGIN EXCLUSIVE;
INSERT INTO t VALUES (5);
--@ on main
COMMIT;
--@ on b
SELECT * FROM t;
BEGIN EXCLUSIVE;
--@ on main
BEGIN EXCLUSIVE;
SELECT * FROM t;
--@ on b
END;

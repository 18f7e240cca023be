-- A trigger that fires itself stops where the depth limit or its condition says.
PRAGMA recursive_triggers = ON;
CREATE TABLE t(n INTEGER PRIMARY KEY);
CREATE TRIGGER down AFTER INSERT ON t WHEN new.n > 1 BEGIN
  INSERT INTO t VALUES (new.n - 1);
END;
INSERT INTO t VALUES (500);
SELECT count(*), min(n), max(n) FROM t;
DELETE FROM t;
INSERT INTO t VALUES (5000);
SELECT count(*) FROM t;
PRAGMA integrity_check;

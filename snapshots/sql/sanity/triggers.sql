-- Triggers fire before, after and instead; RAISE takes the statement back.
CREATE TABLE t(id INTEGER PRIMARY KEY, v INT);
CREATE TABLE log(n INTEGER PRIMARY KEY, what TEXT);
CREATE TRIGGER t_insert AFTER INSERT ON t BEGIN
  INSERT INTO log(what) VALUES ('insert ' || new.id || ' ' || new.v);
END;
CREATE TRIGGER t_update BEFORE UPDATE OF v ON t WHEN new.v <> old.v BEGIN
  SELECT RAISE(ABORT, 'never less') WHERE new.v < old.v;
  INSERT INTO log(what) VALUES ('update ' || old.v || ' to ' || new.v);
END;
CREATE TRIGGER t_delete AFTER DELETE ON t BEGIN
  INSERT INTO log(what) VALUES ('delete ' || old.id);
END;
INSERT INTO t(v) VALUES (1), (2), (3);
UPDATE t SET v = v + 10;
UPDATE t SET v = 0 WHERE id = 2;
UPDATE t SET v = v;
DELETE FROM t WHERE id = 3;
SELECT * FROM t;
SELECT * FROM log;
CREATE VIEW shown AS SELECT id, v FROM t;
CREATE TRIGGER shown_insert INSTEAD OF INSERT ON shown BEGIN
  INSERT INTO t VALUES (new.id * 100, new.v);
END;
INSERT INTO shown VALUES (7, 70);
SELECT * FROM shown;
DROP TRIGGER t_insert;
INSERT INTO t VALUES (1000, 1);
SELECT count(*) FROM log;
SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name;

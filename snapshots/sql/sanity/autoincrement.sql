-- AUTOINCREMENT never gives a rowid twice, plain rowids do.
CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
CREATE TABLE p(id INTEGER PRIMARY KEY, v);
INSERT INTO a(v) VALUES ('x'), ('y'), ('z');
INSERT INTO p(v) VALUES ('x'), ('y'), ('z');
DELETE FROM a WHERE id = 3;
DELETE FROM p WHERE id = 3;
INSERT INTO a(v) VALUES ('new') RETURNING id;
INSERT INTO p(v) VALUES ('new') RETURNING id;
SELECT * FROM sqlite_sequence;
UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'a';
INSERT INTO a(v) VALUES ('far') RETURNING id;
INSERT INTO a VALUES (9223372036854775807, 'last');
INSERT INTO a(v) VALUES ('none left');
BEGIN;
INSERT INTO p(v) VALUES ('gone');
ROLLBACK;
SELECT max(id) FROM p;

-- Schema changes and a full-text index travel like any other pages.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE VIRTUAL TABLE doc USING fts5(body);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO doc SELECT printf('common w%d rare%d', i % 10, i) FROM c;
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT body FROM doc WHERE doc MATCH 'rare1234';
SELECT count(*) FROM doc WHERE doc MATCH 'w3';
INSERT INTO doc VALUES ('only on b at first');
CREATE TABLE extra(v);
PRAGMA graft_push;
--@ on a
SELECT count(*) FROM doc WHERE doc MATCH 'first';
PRAGMA graft_pull;
SELECT body FROM doc WHERE doc MATCH 'first';
SELECT name FROM sqlite_schema WHERE name = 'extra';
INSERT INTO doc(doc) VALUES ('integrity-check');
PRAGMA integrity_check;

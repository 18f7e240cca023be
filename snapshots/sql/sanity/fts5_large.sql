-- A full-text index large enough for many segments, merged, then emptied.
CREATE VIRTUAL TABLE word USING fts5(text, content='', columnsize=0, detail=none);
CREATE TABLE source(id INTEGER PRIMARY KEY, text TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000)
INSERT INTO source SELECT i, printf('w%d x%d y%d z%d common', i % 7, i % 101, i % 997, i) FROM c;
INSERT INTO word(rowid, text) SELECT id, text FROM source;
SELECT count(*) FROM word WHERE word MATCH 'common';
SELECT count(*) FROM word WHERE word MATCH 'x5 AND w3';
SELECT rowid FROM word WHERE word MATCH 'z4711';
INSERT INTO word(word) VALUES ('optimize');
SELECT count(*) FROM word WHERE word MATCH 'y1 OR y2';
INSERT INTO word(word) VALUES ('delete-all');
SELECT count(*) FROM word WHERE word MATCH 'common';
PRAGMA integrity_check;

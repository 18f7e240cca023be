-- Full-text search: match, rank, highlight, change, optimize, check.
CREATE VIRTUAL TABLE doc USING fts5(title, body, tokenize = 'porter unicode61');
INSERT INTO doc VALUES ('Grafting', 'A graft joins the tissues of two plants'), ('Apples', 'Most apples are propagated by grafting'), ('Pears', 'Quince is the usual rootstock for pears');
SELECT title FROM doc WHERE doc MATCH 'graft' ORDER BY rank;
SELECT highlight(doc, 1, '[', ']') FROM doc WHERE doc MATCH 'plant OR quince' ORDER BY rowid;
SELECT title FROM doc WHERE doc MATCH 'title : pears';
SELECT title, snippet(doc, 1, '<', '>', '..', 3) FROM doc WHERE doc MATCH '"usual rootstock"';
SELECT title FROM doc('NEAR(apples grafting, 4)');
SELECT count(*) FROM doc WHERE doc MATCH 'propag*';
UPDATE doc SET body = 'nothing of the kind' WHERE title = 'Apples';
DELETE FROM doc WHERE title = 'Pears';
SELECT title FROM doc WHERE doc MATCH 'graft OR quince';
SELECT * FROM doc WHERE doc MATCH '"open';
INSERT INTO doc(doc) VALUES ('optimize');
INSERT INTO doc(doc) VALUES ('integrity-check');
--@ reopen
SELECT title FROM doc WHERE doc MATCH 'kind';
PRAGMA integrity_check;

"""Marks of a person, tables for spreadsheets, files for gradebooks: nothing lost, nothing run."""

import csv
import io

import pytest

from nst.errors import NstError
from nst_grading.__main__ import names_in
from nst_grading.marks.gradebooks import write_gradebooks, write_points
from nst_grading.marks.manual import apply, criteria, read_manual, write_manual
from nst_grading.marks.tables import number, original, read_table, safe, write_table
from nst_grading.report import Report

EXERCISES = {"code": 3.0, "words": 2.0}
SCHEMES = {"words": {"says what": 1.0, "says why": 1.0}}
WHOLE = {"words": {"": 2.0}}
HEADER = "student,exercise,points,possible,criterion,comment"


def names(reports):
    return {safe(name): name for name in reports}


def report(student="alice", code=3.0, words=None, **more):
    return Report(student, {"code": code, "words": words}, dict(EXERCISES), **more)


def written(path):
    return list(csv.reader(path.read_text().splitlines()))


FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "x;=1",
    "x,=1",
    "＝1",
    "a\n=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_in_any_dialect(tmp_path, text):
    write_table(tmp_path / "t.csv", ["a", "b"], [{"a": text, "b": "x"}])
    data = (tmp_path / "t.csv").read_text()
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(data), delimiter=delimiter):
            assert not any(map(starts, row))
    assert original(safe(text)).split() == text.split()
    assert safe(safe(text)) == safe(text)


def starts(cell):
    return cell.strip().strip('"').strip().startswith(("=", "+", "-", "@", "＝"))


@pytest.mark.parametrize("text", ["-", "-3.5", "Anna-Lena", "a = b", "x@y.org", "3"])
def test_ordinary_cells_stay_as_they_are(text):
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "value"), [("0,5", 0.5), ("0.5", 0.5), (" 2 ", 2), (".5", 0.5), ("1,", 1)]
)
def test_numbers_have_points_or_commas(text, value):
    assert number(text) == value


@pytest.mark.parametrize("text", ["two", "1/2", "1.5.2", "", "1 000", "nan", "inf", "1e3", "²"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError):
        number(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_are_read_in_every_spreadsheets_dialect_and_written_back_in_it(
    tmp_path, encoding, delimiter, end
):
    path = tmp_path / "manual.csv"
    lines = [HEADER.split(","), ["Jürgen", "words", "1,5", "2", "", "schön"]]
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, lineterminator=end).writerows(lines)
    path.write_bytes(made.getvalue().encode(encoding))
    table = read_manual(path, EXERCISES, WHOLE)
    reports = {"Jürgen": report("Jürgen"), "new": report("new")}
    assert apply(reports, table, WHOLE, names(reports)) == []
    assert reports["Jürgen"].points["words"] == 1.5
    assert reports["Jürgen"].comments == {"words": ["schön"]}
    unread = {"Jürgen": ["words"], "new": ["words"]}
    write_manual(path, reports, unread, table, WHOLE, names(reports), str)
    again = read_table(path)
    assert (again.delimiter, again.encoding) == (delimiter, encoding)
    assert [row["student"] for row in again.rows] == ["Jürgen", "new"]
    assert again.rows[0]["points"] == "1,5"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["alice,words,two,2,,"], ["line 2 (alice, words): 'two' is no number"]),
        (["alice,words,3,2,,"], ["3 is not between 0 and 2"]),
        (["alice,words,-1,2,,"], ["-1 is not between 0 and 2"]),
        (["alice,words,1,2,says,"], ["the mark scheme has no criterion 'says'"]),
        (["alice,wrods,1,2,,"], ["there is no such exercise"]),
        (["alice,words,0,5,2,,"], ["line 2: more cells than columns; a decimal comma?"]),
        (["alice,words,1,2,,", "alice,words,2,2,,"], ["line 3", "twice, with 1 and 2"]),
        (["alice,words,x,,,", "bob,words,y,,,"], ["line 2 (alice", "line 3 (bob"]),
    ],
)
def test_a_wrong_cell_is_named_and_the_file_left_as_it_is(tmp_path, lines, words):
    path = tmp_path / "manual.csv"
    path.write_text("\n".join([HEADER, *lines, "carol,words,1,2,,"]))
    before = path.read_bytes()
    with pytest.raises(NstError) as error:
        read_manual(path, EXERCISES, WHOLE)
    assert all(word in str(error.value) for word in words)
    assert path.read_bytes() == before


def test_a_file_without_its_columns_or_empty_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("student,points\nalice,1\n")
    with pytest.raises(NstError, match="no column exercise"):
        read_manual(tmp_path / "a.csv", EXERCISES, WHOLE)
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(NstError, match="is empty"):
        read_manual(tmp_path / "b.csv", EXERCISES, WHOLE)


def test_marks_by_criterion_add_up_when_all_are_there(tmp_path):
    path = tmp_path / "manual.csv"
    table = read_manual(path, EXERCISES, SCHEMES)
    reports = {name: report(name) for name in ("alice", "bob", "=carol")}
    unread = {name: ["words"] for name in reports}
    write_manual(path, reports, unread, table, SCHEMES, names(reports), str)
    assert written(path)[:3] == [
        HEADER.split(","),
        ["alice", "words", "", "1", "says what", ""],
        ["alice", "words", "", "1", "says why", ""],
    ]
    text = path.read_text().replace("alice,words,,1,says what,", "alice,words,1,1,says what,good")
    text = text.replace("alice,words,,1,says why,", "alice,words,0.5,1,says why,")
    text = text.replace("bob,words,,1,says what,", "bob,words,1,1,says what,")
    text = text.replace("'=carol,words,,1,says what,", "'=carol,words,1,1,says what,")
    path.write_text(
        text + "'=carol,words,2,2,,\ndora,words,1,1,says what,kept\nbob,code,2,3,,fair\n"
    )
    table = read_manual(path, EXERCISES, SCHEMES)
    assert apply(reports, table, SCHEMES, names(reports)) == ["dora"]
    assert reports["alice"].points["words"] == 1.5
    said = ["says what 1 of 1. good", "says why 0.5 of 1."]
    assert reports["alice"].comments == {"words": said}
    assert reports["bob"].points == {"code": 2, "words": None}
    assert reports["bob"].remarks == ["code has 2 points, not 3, by hand."]
    assert reports["=carol"].points["words"] == 2  # the whole counts
    before = path.read_bytes()
    write_manual(path, reports, unread, table, SCHEMES, names(reports), str)
    assert path.read_bytes() == before  # nothing new: nothing written


def test_codes_stand_for_names_and_back(tmp_path):
    path = tmp_path / "manual.csv"
    path.write_text(f"{HEADER}\nalice,words,1,2,,\n")
    reports, unread = {"alice": report()}, {"alice": ["words"]}
    known = {"alice": "alice", "XYZ": "alice"}
    for shown in ("XYZ", "alice"):
        table = read_manual(path, EXERCISES, WHOLE)
        write_manual(path, reports, unread, table, WHOLE, known, {"alice": shown}.__getitem__)
        assert written(path)[1:] == [[shown, "words", "1", "2", "", ""]]
        reports["alice"].points["words"] = None
        apply(reports, read_manual(path, EXERCISES, WHOLE), WHOLE, known)
        assert reports["alice"].points["words"] == 1


def test_a_mark_schemes_lines_are_criteria(source):
    exercises, schemes = criteria(source)
    assert exercises == {"gram-test": 3, "double-test": 2, "words": 1}
    assert schemes == {"words": {"": 1}}  # "One point for an example." has no number


def test_points_of_what_is_not_graded_are_left_open(tmp_path):
    reports = {"a": report("a", late="2 h 5 min", attempts=2), "b": Report("b").refuse("=no")}
    write_points(reports, EXERCISES, tmp_path / "points.csv")
    assert written(tmp_path / "points.csv")[2:] == [
        ["a", "3.0", "", "3.0", "2 h 5 min", "2", ""],
        ["b", "", "", "", "", "1", "'=no"],
    ]


def books(tmp_path, reports, text=None):
    roster = None
    if text:
        (tmp_path / "roster.csv").write_text(text)
        roster = read_table(tmp_path / "roster.csv")
    paths, lost = write_gradebooks({r.student: r for r in reports}, 5.0, "ps", tmp_path, roster)
    return {path.name: written(path) for path in paths}, lost


def test_platforms_files_from_the_names_of_what_they_handed_out(tmp_path):
    reports = [
        report("doejane", platform="Canvas", number="12"),
        report("Kim Lee", platform="Moodle", number="77", comments={"words": ["well said"]}),
        Report("roe", platform="Canvas", number="13").refuse("encrypted"),
        report("neither"),
    ]
    assert books(tmp_path, reports) == (
        {
            "canvas.csv": [
                ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps"],
                ["    Points Possible", "", "", "", "", "5.0"],
                ["doejane", "12", "", "", "", "3"],
                ["roe", "13", "", "", "", ""],
            ],
            "moodle.csv": [
                ["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"],
                ["Participant 77", "Kim Lee", "3", "5", "words: well said"],
            ],
        },
        [],
    )


def test_canvas_own_gradebook_is_filled_in(tmp_path):
    text = (
        "Student,ID,SIS User ID,SIS Login ID,Section,ps (991),other (992)\n"
        "    Points Possible,,,,,30,10\n"
        '"Doe, Jane",12,s12,jdoe,A,1,7\n"Roe, Max",13,s13,maxroe,A,2,8\n'
        '"Poe, Eve",14,s14,epoe,A,3,9\n'
    )
    reports = [
        report("doejane", platform="Canvas", number="12"),
        report("maxroe", 1.0),
        report("zed"),
    ]
    made, lost = books(tmp_path, reports, text)
    assert lost == ["zed"]
    assert made["canvas.csv"] == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps (991)"],
        ["    Points Possible", "", "", "", "", "5.0"],
        ["Doe, Jane", "12", "s12", "jdoe", "A", "3"],
        ["Roe, Max", "13", "s13", "maxroe", "A", "1"],
        ["Poe, Eve", "14", "s14", "epoe", "A", ""],
    ]


def test_moodles_own_worksheet_is_filled_in_on_its_scale(tmp_path):
    header = "Identifier,Full name,Email address,Grade,Maximum Grade,Last modified (grade)"
    lines = ["Participant 77,Kim Lee,k@x.org,,100,-", "Participant 78,Jo Ray,jo@x.org,50,100,-"]
    reports = [report("Kim Lee", platform="Moodle", number="77")]
    made, lost = books(tmp_path, reports, "\n".join([header, *lines]))
    assert made["moodle.csv"][1:] == [
        ["Participant 77", "Kim Lee", "k@x.org", "60", "100", "-"],
        ["Participant 78", "Jo Ray", "jo@x.org", "50", "100", "-"],
    ]
    assert lost == []


EACH = {
    "First name,Last name,Email address\nJane,Doe,x1@uni.org\nKim,,x2@uni.org\n": [
        "Jane Doe",
        "Kim",
    ],
    "Surname,First name,Groups\nDoe,Jane,A\n": ["Jane Doe"],
    "Identifier,Full name,Grade\nParticipant 7,Kim Lee,\n": ["Kim Lee"],
    'Student,ID\n    Points Possible,\n"Doe, Jane",1\n,\n': ["Doe, Jane"],
    "Email\nx1@uni.org\n": ["x1@uni.org"],
    "row;First name;Last name\njd;Jane;Doe\n": ["jd"],
}


@pytest.mark.parametrize("text", EACH)
def test_a_version_for_each_is_for_the_students_of_a_platforms_table(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    assert names_in(tmp_path / "table.csv") == EACH[text]


@pytest.mark.parametrize("text", ["Section,Vorname\nA,Jane\n", "Student,ID\nPoints Possible,\n"])
def test_a_table_without_students_is_named(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(NstError, match="names no students: give it a column 'student'"):
        names_in(tmp_path / "table.csv")


def test_moodles_participants_are_found_by_first_and_last_name(tmp_path):
    text = "First name,Last name,Email address\nJane,Doe,x1@uni.org\nKim,Lee,x2@uni.org\n"
    made, lost = books(tmp_path, [report("Kim Lee"), report("x1", 2.0)], text)
    assert [row[3] for row in made["moodle.csv"][1:]] == ["2", "3"] and lost == []


def test_a_table_of_ones_own_maps_names(tmp_path):
    text = "student;Email address\nalice;a.smith@x.org\nbob;b.jones@x.org\n"
    text += "twin;t@x.org\ntwin;u@x.org\n"
    reports = [report("alice"), report("b.jones", 2.0), report("twin")]
    made, lost = books(tmp_path, reports, text)
    assert made["moodle.csv"] == [
        ["student", "Email address", "ps", "feedback"],
        ["alice", "a.smith@x.org", "3", ""],
        ["bob", "b.jones@x.org", "2", ""],
        ["twin", "t@x.org", "", ""],
        ["twin", "u@x.org", "", ""],
    ]
    assert lost == ["twin"]

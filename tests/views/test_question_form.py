"""The form of a question in words: what words may mean is offered where it can be understood."""

from __future__ import annotations

from deeplens_kit.views.question_cards import form_html
from deeplens_kit.views.state.question import Question


def test_meanings_are_offered_where_a_model_reads_words() -> None:
    form = form_html(Question(), "shows", reads_text=True)
    assert "What it shows" in form
    assert 'value="shows" checked' in form


def test_without_one_words_are_names_and_nothing_is_to_be_chosen() -> None:
    form = form_html(Question(), "words", reads_text=False)
    assert "meaning" not in form
    assert "Words are looked up in names" in form

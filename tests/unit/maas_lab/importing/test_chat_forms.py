"""A chat template becomes a few texts around each message, or it is said that it is no such one."""

from typing import Any

import pytest

from maas.tasks.chat import Message, written
from maas_lab.importing.chat_forms import chat_of

SPECIALS = {"bos_token": "<s>", "eos_token": "</s>"}
# As ChatML has it, with a rule of its own where there is none.
QWEN = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ \
'<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + \
message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
LLAMA3 = """{% for message in messages %}{% set content = '<|start_header_id|>' + message.role + \
'<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}\
{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}\
{% if add_generation_prompt %}\
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""
MISTRAL = """{{ bos_token }}{% for message in messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate') }}{% endif %}\
{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}\
{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}\
{% endif %}{% endfor %}"""
LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}\
{% set system_message = false %}{% endif %}{% for message in loop_messages %}\
{% if loop.index0 == 0 and system_message %}{% set content = '<<SYS>>\\n' + system_message + \
'\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}\
{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content + ' [/INST]' }}\
{% else %}{{ ' ' + content + ' ' + eos_token }}{% endif %}{% endfor %}"""

TALK = (
    Message("user", " one\n"),
    Message("assistant", "two </b>"),
    Message("user", "three"),
)


def render(template: str, messages: tuple[Message, ...]) -> str:
    """What transformers itself writes."""
    from transformers.utils.chat_template_utils import render_jinja_template

    run: Any = render_jinja_template
    said = [each._asdict() for each in messages]
    text = run(
        conversations=[said], chat_template=template, add_generation_prompt=True, **SPECIALS
    )[0][0]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize(
    ("template", "system"),
    [(QWEN, True), (ZEPHYR, True), (LLAMA3, True), (MISTRAL, False), (LLAMA2, False)],
    ids=["qwen", "zephyr", "llama 3", "mistral", "llama 2"],
)
def test_a_conversation_is_written_as_the_template_writes_it(
    template: str, *, system: bool
) -> None:
    chat, said = chat_of(template, SPECIALS)
    assert chat is not None
    assert (chat.system is not None) is system
    assert ("without a system message" in said) is not system
    conversations = [TALK, TALK[:1]]
    if system:
        conversations += [(Message("system", "be brief "), *each) for each in conversations]
    for messages in conversations:
        assert written(chat, messages, specials=()) == render(template, messages)


def test_the_form_is_what_stands_around_the_messages() -> None:
    chat, _ = chat_of(QWEN, SPECIALS)
    assert chat is not None
    assert chat.begin + chat.no_system + chat.user.before == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    )
    assert (chat.answer, chat.trims, chat.alternates) == ("<|im_start|>assistant\n", False, False)
    llama, _ = chat_of(LLAMA3, SPECIALS)
    assert llama is not None
    assert (llama.trims, llama.begin) == (True, "<s>")
    mistral, _ = chat_of(MISTRAL, SPECIALS)
    assert mistral is not None
    # Of both in turns alone; so nothing tells whose the text between two turns is
    assert mistral.alternates
    assert mistral.begin + mistral.user.before == "<s>[INST] "
    assert mistral.assistant.after + mistral.user.before == "</s>[INST] "


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{{ messages[0]['content'] }}",
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] | upper }}\n{% endfor %}",
        "{% for m in messages %}{{ loop.index }}. {{ m['content'] }}\n{% endfor %}",
        "{% for m in messages | reverse %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}",
        "{{ raise_exception('no') }}",
        "{% for m in messages %}{{ m.content.split('two')[0] }}{% endfor %}",
        "{% if",
        "{{ ''.__class__.__mro__ }}",
    ],
)
def test_a_template_that_does_more_is_left_out(template: str) -> None:
    chat, said = chat_of(template, SPECIALS)
    assert chat is None
    assert "answers no conversation" in said

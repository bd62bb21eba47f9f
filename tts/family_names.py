"""The family names that are rendered ahead, so that a name sounds like the sentence around it.

The sixty commonest family names of China, which about three of four people there bear; and for
English some of the commonest of the English-speaking world. A public list of names, nobody's data.
"""

from __future__ import annotations

CHINESE = {
    "王": "Wang", "李": "Li", "张": "Zhang", "刘": "Liu", "陈": "Chen", "杨": "Yang",
    "黄": "Huang", "赵": "Zhao", "吴": "Wu", "周": "Zhou", "徐": "Xu", "孙": "Sun",
    "马": "Ma", "朱": "Zhu", "胡": "Hu", "郭": "Guo", "何": "He", "林": "Lin",
    "高": "Gao", "罗": "Luo", "郑": "Zheng", "梁": "Liang", "谢": "Xie", "宋": "Song",
    "唐": "Tang", "许": "Xu", "韩": "Han", "邓": "Deng", "冯": "Feng", "曹": "Cao",
    "彭": "Peng", "曾": "Zeng", "肖": "Xiao", "田": "Tian", "董": "Dong", "潘": "Pan",
    "袁": "Yuan", "蔡": "Cai", "蒋": "Jiang", "余": "Yu", "于": "Yu", "杜": "Du",
    "叶": "Ye", "程": "Cheng", "魏": "Wei", "苏": "Su", "吕": "Lyu", "丁": "Ding",
    "任": "Ren", "卢": "Lu", "姚": "Yao", "沈": "Shen", "钟": "Zhong", "姜": "Jiang",
    "崔": "Cui", "谭": "Tan", "陆": "Lu", "范": "Fan", "汪": "Wang", "廖": "Liao",
}  # fmt: skip
"""Family name to its spelling in a passport."""

ENGLISH = (
    "Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Miller",
    "Wright", "Walker", "White", "Green", "Hall", "Wood", "Thompson", "Martin", "Clark", "Lee",
    "Evans",
)  # fmt: skip

_HONORIFICS = {"zh": ("先生", "女士"), "en": ("Mr", "Ms")}

_SOUNDS_LIKE = {"曾": "增", "任": "仁", "肖": "消", "Ms": "Miz"}
"""What is read otherwise as a name than elsewhere, and something of the right sound."""

_PHONEMES = {
    "Mr": "mˈɪstəɹ", "Ms": "mˈɪz",
    "Wang": "wˈɑŋ", "Li": "lˈi", "Zhang": "ʤˈɑŋ", "Liu": "ljˈO", "Chen": "ʧˈʌn", "Yang": "jˈɑŋ",
    "Huang": "hwˈɑŋ", "Zhao": "ʤˈW", "Wu": "wˈu", "Zhou": "ʤˈO", "Xu": "ʃˈu", "Sun": "sˈʊn",
    "Ma": "mˈɑ", "Zhu": "ʤˈu", "Hu": "hˈu", "Guo": "ɡwˈO", "He": "hˈʌ", "Lin": "lˈɪn",
    "Gao": "ɡˈW", "Luo": "lwˈO", "Zheng": "ʤˈʌŋ", "Liang": "ljˈɑŋ", "Xie": "ʃjˈɛ", "Song": "sˈʊŋ",
    "Tang": "tˈɑŋ", "Han": "hˈɑn", "Deng": "dˈʌŋ", "Feng": "fˈʌŋ", "Cao": "ʦˈW", "Peng": "pˈʌŋ",
    "Zeng": "ʣˈʌŋ", "Xiao": "ʃjˈW", "Tian": "tjˈɛn", "Dong": "dˈʊŋ", "Pan": "pˈɑn",
    "Yuan": "juˈɛn", "Cai": "ʦˈI", "Jiang": "ʤjˈɑŋ", "Yu": "jˈu", "Du": "dˈu", "Ye": "jˈɛ",
    "Cheng": "ʧˈʌŋ", "Wei": "wˈA", "Su": "sˈu", "Lyu": "lˈu", "Ding": "dˈɪŋ", "Ren": "ɹˈʌn",
    "Lu": "lˈu", "Yao": "jˈW", "Shen": "ʃˈʌn", "Zhong": "ʤˈʊŋ", "Cui": "ʦwˈA", "Tan": "tˈɑn",
    "Fan": "fˈɑn", "Liao": "ljˈW",
}  # fmt: skip
"""How an English speaker who asked would say them, in Kokoro's phonemes; espeak-ng guesses wrong."""


def spoken_names(language: str) -> dict[str, str]:
    """Every name with its honorific as a script says it, to what a voice is told to say.

    A value between slashes is phonemes.
    """
    if language == "zh":
        return {
            name + honorific: _SOUNDS_LIKE.get(name, name) + honorific
            for name in CHINESE
            for honorific in _HONORIFICS["zh"]
        }
    if language == "en":
        return {
            f"{honorific} {name}": _english(honorific, name)
            for name in (*CHINESE.values(), *ENGLISH)
            for honorific in _HONORIFICS["en"]
        }
    return {}


def _english(honorific: str, name: str) -> str:
    if name in _PHONEMES:
        return f"/{_PHONEMES[honorific]} {_PHONEMES[name]}/"
    return f"{_SOUNDS_LIKE.get(honorific, honorific)} {name}"

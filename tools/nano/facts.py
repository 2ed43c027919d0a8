"""The closed world of `mini_knowledge`: true, well-known facts, by relation."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RELATIONS", "Relation"]


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    questions: tuple[str, ...]
    """Phrasings with `{}` for the entity."""
    statement: str
    """With `{e}` for the entity and `{v}` for the value."""
    pairs: tuple[tuple[str, str], ...]

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for _, value in self.pairs))


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """`entity=value` separated by commas."""
    found = (pair.strip().split("=") for pair in text.replace("\n", " ").split(",") if pair.strip())
    return tuple((entity.strip(), value.strip()) for entity, value in found)


def _inverse(text: str) -> tuple[tuple[str, str], ...]:
    """`value: entity, entity; value: …`, for relations where many share one value."""
    groups = (group.split(":") for group in text.replace("\n", " ").split(";") if group.strip())
    return tuple((e.strip(), value.strip()) for value, members in groups for e in members.split(","))


RELATIONS: tuple[Relation, ...] = (
    Relation(
        "capitals",
        ("What is the capital of {}?", "Which city is the capital of {}?"),
        "The capital of {e} is {v}.",
        _pairs("""France=Paris, Japan=Tokyo, Italy=Rome, Spain=Madrid, Germany=Berlin, Egypt=Cairo, Greece=Athens,
        Norway=Oslo, Peru=Lima, Cuba=Havana, Kenya=Nairobi, China=Beijing, India=New Delhi,
        Russia=Moscow, Poland=Warsaw, Austria=Vienna, Sweden=Stockholm, Finland=Helsinki,
        Ireland=Dublin, Portugal=Lisbon, Hungary=Budapest, Thailand=Bangkok, Vietnam=Hanoi, Iran=Tehran,
        Iraq=Baghdad, Canada=Ottawa, Chile=Santiago, Denmark=Copenhagen, South Korea=Seoul,
        Mongolia=Ulaanbaatar"""),
    ),
    Relation(
        "continents",
        ("On which continent is {}?", "{} is a country on which continent?"),
        "{e} is a country in {v}.",
        _inverse("""Europe: France, Italy, Spain, Germany, Greece, Norway, Poland, Austria, Sweden, Finland,
        Ireland, Portugal, Hungary, Denmark; Asia: Japan, China, India, Thailand, Vietnam, Iran, Iraq,
        South Korea, Mongolia; Africa: Egypt, Kenya, Ghana, Nigeria, Morocco; South America: Peru,
        Chile, Brazil, Argentina; North America: Canada, Mexico, Cuba"""),
    ),
    Relation(
        "elements",
        ("What is the chemical symbol of {}?", "Which symbol stands for {}?"),
        "The chemical symbol of {e} is {v}.",
        _pairs("""gold=Au, silver=Ag, iron=Fe, copper=Cu, lead=Pb, tin=Sn, zinc=Zn, sodium=Na, calcium=Ca,
        helium=He, oxygen=O, carbon=C, neon=Ne, nickel=Ni, mercury=Hg, lithium=Li, potassium=K,
        nitrogen=N, hydrogen=H, sulfur=S"""),
    ),
    Relation(
        "opposites",
        ("What is the opposite of {}?", "Which word means the opposite of {}?"),
        "The opposite of {e} is {v}.",
        _pairs("""hot=cold, big=small, fast=slow, up=down, open=closed, day=night, full=empty, hard=soft,
        heavy=light, happy=sad, high=low, loud=quiet, new=old, rich=poor, strong=weak, thick=thin,
        wet=dry, wide=narrow, early=late, clean=dirty, deep=shallow, first=last, long=short,
        sweet=bitter, true=false, war=peace, friend=enemy, question=answer, north=south, east=west"""),
    ),
    Relation(
        "young",
        ("What is a young {} called?", "What do people call a young {}?"),
        "A young {e} is called {v}.",
        _pairs("""cat=kitten, dog=puppy, cow=calf, horse=foal, sheep=lamb, goat=kid, pig=piglet, hen=chick,
        duck=duckling, goose=gosling, bear=cub, deer=fawn, swan=cygnet, frog=tadpole, kangaroo=joey,
        owl=owlet"""),
    ),
    Relation(
        "past",
        ("What is the past tense of {}?", "Which word is the past tense of {}?"),
        "The past tense of {e} is {v}.",
        _pairs("""go=went, see=saw, eat=ate, take=took, give=gave, come=came, run=ran, write=wrote, speak=spoke,
        know=knew, think=thought, buy=bought, bring=brought, teach=taught, find=found, sing=sang,
        drink=drank, swim=swam, fly=flew, drive=drove, break=broke, choose=chose, begin=began,
        make=made, sleep=slept, keep=kept, feel=felt, leave=left, meet=met, win=won"""),
    ),
    Relation(
        "korean",
        ("What is the Korean word for {}?", "How do you say {} in Korean?"),
        "The Korean word for {e} is {v}.",
        _pairs("""water=물, fire=불, tree=나무, flower=꽃, house=집, school=학교, book=책, friend=친구, mother=어머니,
        father=아버지, teacher=선생님, student=학생, rice=밥, bread=빵,
        milk=우유, apple=사과, cat=고양이, dog=개, bird=새,
        fish=물고기, sea=바다, mountain=산, sky=하늘, moon=달, star=별, rain=비, snow=눈, wind=바람, road=길, time=시간,
        name=이름, love=사랑"""),
    ),
    Relation(
        "animals",
        ("What kind of animal is the {}?", "The {} is what kind of animal?"),
        "The {e} is a kind of {v}.",
        _inverse("""bird: hen, duck, goose, swan, owl, parrot, crow, penguin; mammal: cat, dog, cow, horse, sheep,
        goat, pig, bear, deer, kangaroo, whale, bat; fish: salmon, tuna, shark, cod; insect: bee, ant,
        fly, beetle, butterfly; reptile: snake, lizard, turtle, crocodile"""),
    ),
    Relation(
        "trades",
        ("Who works with {}?", "Whose trade is about {}?"),
        "The {v} works with {e}.",
        _pairs("""bread=baker, wood=carpenter, pipes=plumber, teeth=dentist, crops=farmer, meat=butcher,
        laws=lawyer, paint=painter, planes=pilot, patients=doctor, pupils=teacher, nets=fisherman,
        stones=mason, hair=barber, fires=firefighter, clothes=tailor, wires=electrician, shoes=cobbler,
        words=writer, songs=singer"""),
    ),
    Relation(
        "calendar",
        ("What comes right after {}?", "Which one follows {}?"),
        "Right after {e} comes {v}.",
        _pairs("""January=February, February=March, March=April, April=May, May=June, June=July, July=August,
        August=September, September=October, October=November, November=December, December=January,
        Monday=Tuesday, Tuesday=Wednesday, Wednesday=Thursday, Thursday=Friday, Friday=Saturday,
        Saturday=Sunday, Sunday=Monday"""),
    ),
)

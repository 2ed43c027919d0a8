"""Everyday words in English and Korean, so that what is read and copied is not always made up."""

from __future__ import annotations

__all__ = ["NOUNS"]

_TEXT = """
air 공기, animal 동물, arm 팔, artist 예술가, aunt 이모, baby 아기, bank 은행, beach 해변, bear 곰, bed 침대, bell 종,
belt 허리띠, bird 새, blood 피, boat 배, body 몸, bone 뼈, boy 소년, branch 가지, bridge 다리, brother 형, brush 붓,
building 건물, bus 버스, butter 버터, button 단추, cake 케이크, candle 초, car 자동차, cat 고양이, cheese 치즈,
church 교회, city 도시, class 수업, coat 외투, coffee 커피, coin 동전, company 회사, corn 옥수수, country 나라,
cow 소, daughter 딸, day 날, desk 책상, dinner 저녁, doctor 의사, dog 개, door 문, dream 꿈, dress 드레스, ear 귀,
earth 땅, egg 달걀, evening 저녁, eye 눈, face 얼굴, factory 공장, family 가족, farm 농장, father 아버지, field 들판,
finger 손가락, fire 불, fish 물고기, floor 바닥, foot 발, forest 숲, fork 포크, friend 친구, frog 개구리, fruit 과일,
game 놀이, garden 정원, gate 대문, gift 선물, girl 소녀, glass 유리, glove 장갑, goat 염소, gold 금, grape 포도,
grass 풀, guest 손님, hair 머리카락, hall 강당, hammer 망치, hand 손, harbour 항구, head 머리, heart 심장, hill 언덕,
history 역사, holiday 휴일, honey 꿀, horse 말, hospital 병원, hour 시간, house 집, ice 얼음, idea 생각, island 섬,
jacket 재킷, job 직업, juice 주스, kitchen 부엌, ladder 사다리, lake 호수, language 언어, leaf 잎, leg 다리,
lemon 레몬, lesson 수업, library 도서관, light 빛, line 줄, lion 사자, machine 기계, market 시장, meat 고기,
medicine 약, message 소식, metal 금속, moon 달, morning 아침, mother 어머니, mountain 산, mouse 쥐, mouth 입,
movie 영화, museum 박물관, music 음악, nail 못, name 이름, neck 목, needle 바늘, news 소식, night 밤, nose 코,
nurse 간호사, ocean 바다, office 사무실, oil 기름, orange 오렌지, park 공원, party 잔치, peach 복숭아, pen 펜,
people 사람들, phone 전화, photo 사진, picture 그림, pig 돼지, pilot 조종사, pillow 베개, place 장소, plan 계획,
plane 비행기, plant 식물, pocket 주머니, poem 시, police 경찰, pool 수영장, present 선물, price 가격, problem 문제,
prize 상, queen 여왕, question 질문, rabbit 토끼, radio 라디오, rain 비, river 강, road 길, roof 지붕, room 방,
rope 밧줄, rose 장미, sand 모래, school 학교, scissors 가위, sea 바다, season 계절, secret 비밀, sheep 양,
ship 배, shirt 셔츠, shop 가게, silver 은, singer 가수, sister 언니, skin 피부, sky 하늘, snow 눈, soap 비누,
sock 양말, soldier 군인, son 아들, song 노래, soup 국, spring 봄, star 별, station 역, stone 돌, store 상점,
story 이야기, street 거리, student 학생, summer 여름, sun 해, swim 수영, tail 꼬리, tea 차, teacher 선생님,
team 팀, test 시험, theatre 극장, thread 실, tiger 호랑이, time 시간, tooth 이, towel 수건, tower 탑, town 마을,
toy 장난감, train 기차, travel 여행, truck 트럭, uncle 삼촌, village 마을, voice 목소리, wall 벽, weather 날씨,
week 주, wheel 바퀴, wind 바람, winter 겨울, wolf 늑대, woman 여자, wood 나무, word 낱말, work 일, world 세계,
writer 작가, year 해, yard 마당
"""

NOUNS: tuple[tuple[str, str], ...] = tuple(
    (english, korean) for english, korean in (pair.split() for pair in _TEXT.replace("\n", " ").split(","))
)
"""A word and what it means."""

"""Plain words for what pictures show, of which a model of words and pictures chooses.

Takes nothing, gives words; must not name anybody, or say of people more than that they are there.
"""

from __future__ import annotations

__all__ = ["PLAIN_WORDS", "phrase_of"]

_WORDS = """
person, man, woman, child, baby, crowd, family, portrait, face, hand, group photo, selfie, team, couple, dancer,
musician, athlete, worker, soldier, student, meeting, conference, classroom, office, wedding, party, birthday, concert,
festival, parade, ceremony, graduation, sports game, football, basketball, tennis, baseball, golf, skiing, surfing,
swimming, cycling, running, climbing, hiking, camping, fishing, sailing, riding a horse, skateboarding, martial arts,
gym, yoga, dog, puppy, cat, kitten, horse, cow, sheep, goat, pig, chicken, duck, goose, bird, eagle, owl, parrot,
penguin, swan, fish, shark, whale, dolphin, turtle, frog, snake, lizard, insect, butterfly, bee, spider, snail,
elephant, lion, tiger, bear, wolf, fox, deer, rabbit, squirrel, mouse, monkey, giraffe, zebra, camel, kangaroo, panda,
zoo, aquarium, farm, flower, rose, tulip, sunflower, orchid, cactus, leaf, tree, forest, jungle, garden, park, meadow,
grass, field, crops, vineyard, mushroom, mountain, hill, valley, canyon, desert, sand dunes, beach, coast, cliff, sea,
waves, underwater, island, lake, river, waterfall, swamp, glacier, snow, ice, cave, volcano, rock, sky, clouds, sunset,
sunrise, night sky, stars, moon, planet, rainbow, storm, lightning, fog, rain, fire, fireworks, smoke, autumn, winter,
spring, city, skyline, street, road, highway, bridge, tunnel, square, market, shop, supermarket, shopping mall,
restaurant, cafe, bar, hotel, house, apartment building, skyscraper, tower, castle, palace, church, cathedral, mosque,
temple, ruins, monument, statue, fountain, museum, library, theatre, cinema, school, university, hospital, laboratory,
factory, warehouse, power station, wind turbine, solar panels, construction site, crane, harbour, airport, train
station, stadium, playground, swimming pool, cemetery, window, door, stairs, roof, wall, fence, graffiti, kitchen,
living room, bedroom, bathroom, dining room, corridor, attic, basement, garage, balcony, workshop, car, sports car,
taxi, bus, lorry, van, fire engine, ambulance, police car, motorcycle, bicycle, scooter, tram, train, locomotive,
aeroplane, helicopter, drone, hot air balloon, rocket, boat, ship, sailing boat, ferry, canoe, tractor, excavator, food,
meal, breakfast, soup, salad, pasta, pizza, burger, sandwich, sushi, rice, meat, steak, seafood, bread, cake, pastry,
cookies, chocolate, ice cream, fruit, apple, banana, orange, berries, grapes, vegetables, tomato, potato, cheese, egg,
coffee, tea, wine, beer, cocktail, bottle, glass, cup, plate, bowl, knife, pan, chair, table, sofa, bed, lamp, desk,
shelf, cupboard, carpet, curtain, mirror, clock, watch, vase, candle, basket, box, bag, suitcase, umbrella, toy, teddy
bear, doll, board game, cards, ball, balloon, gift, clothing, dress, shirt, jacket, trousers, shoes, boots, hat,
glasses, jewellery, ring, necklace, fabric, computer, laptop, keyboard, mobile phone, camera, television, screen,
headphones, loudspeaker, microphone, guitar, piano, violin, drums, trumpet, tools, hammer, screws, machine, engine,
pipes, cables, electronics, circuit board, robot, medical equipment, x-ray, microscope image, medicine, money, coins,
book, newspaper, magazine, letter, page of text, handwriting, form, table of numbers, receipt, invoice, map, floor plan,
diagram, chart, graph, slide, screenshot, web page, logo, icon, sign, poster, label, packaging, barcode, flag, stamp,
drawing, sketch, painting, watercolour, cartoon, comic, illustration, pattern, texture, abstract shapes, collage,
sculpture, pottery, embroidery, black and white photograph, old photograph, aerial view, satellite image, close-up,
silhouette, reflection, shadow, blurred picture, blank picture, circle, square, cross, triangle, stripes, dots
"""

PLAIN_WORDS = tuple(dict.fromkeys(word for part in _WORDS.split(",") if (word := " ".join(part.split()))))
"""Some four hundred, each once."""


def phrase_of(word: str) -> str:
    """A word as models have seen it beside pictures (Radford et al., arXiv:2103.00020, section 3.1.4)."""
    return f"a photo of a {word}"

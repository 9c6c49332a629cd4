"""How often things happen: categories, hours, days, clients, cards and errors, as integers.

The figures were taken from a public synthetic data set of card transactions (2010 to 2019, 13 million rows).
"""

import numpy as np

# mcc, share of rows (per 100 million), refunds (share of its rows), online (share of its rows), chains (share of its
# in-person rows), local merchants per place; shares without a unit are per 10,000.
CATEGORIES = """
1711 19870 0 0 0 1
3000 23035 0 0 10000 0
3001 23388 0 0 10000 0
3005 2939 0 0 10000 0
3006 2638 0 0 10000 0
3007 2863 0 0 10000 0
3008 2886 0 0 10000 0
3009 3066 0 0 10000 0
3058 23178 0 0 10000 0
3066 20397 0 0 10000 0
3075 2533 0 0 10000 0
3132 21209 0 0 10000 0
3144 2510 0 0 10000 0
3174 21081 0 0 10000 0
3256 20998 0 0 10000 0
3260 21111 0 0 10000 0
3359 104317 2840 0 10000 0
3387 64577 2858 0 10000 0
3389 64577 2844 0 10000 0
3390 76996 2926 0 10000 0
3393 52159 2739 0 10000 0
3395 69545 2899 0 10000 0
3405 59610 2883 0 10000 0
3504 139090 2906 0 10000 0
3509 131639 2827 0 10000 0
3596 134122 2665 0 10000 0
3640 121704 2794 0 10000 0
3684 153992 2789 0 10000 0
3722 134122 2771 0 10000 0
3730 116736 2805 0 10000 0
3771 101834 2734 0 10000 0
3775 109285 2722 0 10000 0
3780 151509 2828 0 10000 0
4111 591132 0 0 176 1
4112 17386 0 0 10000 0
4121 3762703 0 6067 0 6
4131 32289 0 0 10000 0
4214 670612 0 0 10000 0
4411 3217 0 10000 10000 0
4511 21502 0 10000 10000 0
4722 226021 2462 10000 10000 0
4784 5066431 0 10000 10000 0
4814 1614437 0 4833 10000 0
4829 4427655 0 0 10000 0
4899 417270 0 9977 10000 0
4900 1847909 0 2656 13 11
5045 2484 0 6406 10000 0
5094 42224 0 0 5221 1
5192 89415 0 5757 0 1
5193 79480 0 6163 0 1
5211 1217037 0 0 5000 5
5251 293082 0 0 10000 0
5261 64577 0 0 0 1
5300 4523868 0 0 5735 10
5310 1788299 0 0 4906 8
5311 3447443 0 2645 10000 0
5411 11968993 0 0 5039 26
5499 10979140 2128 0 10000 0
5533 2484 0 526 10000 0
5541 10707351 1938 0 10000 0
5621 106801 0 0 0 1
5651 548908 0 1126 4552 3
5655 144057 0 0 0 2
5661 91899 0 3003 3836 1
5712 32289 0 1259 3917 1
5719 558843 0 0 10000 0
5722 2618 0 0 10000 0
5732 62094 0 3656 10000 0
5733 2397 0 0 10000 0
5812 7513486 0 0 5058 22
5813 2116154 0 0 126 12
5814 3755165 0 0 10000 0
5815 516620 0 10000 10000 0
5816 22354 0 10000 10000 0
5912 5808793 0 0 4987 15
5921 1000951 0 0 0 8
5932 44707 0 0 0 1
5941 4967 0 0 5610 1
5942 1624372 0 0 10000 0
5947 17386 0 0 0 1
5970 429689 0 0 10000 0
5977 59610 0 0 10000 0
6300 412302 0 4996 0 2
7011 163927 2945 0 0 3
7210 191249 0 0 0 2
7230 712836 0 0 0 6
7276 19870 0 0 0 1
7349 409819 0 5691 0 3
7393 104317 0 5468 10000 0
7531 9935 0 0 0 1
7538 3628757 0 0 6729 8
7542 275696 0 0 0 2
7549 12419 0 0 0 1
7801 161444 0 10000 10000 0
7802 151509 0 0 10000 0
7832 1152459 0 0 5237 5
7922 350209 0 5069 0 2
7995 347725 0 0 0 2
7996 106801 0 5463 0 1
8011 136606 0 0 0 2
8021 211119 0 0 0 2
8041 69545 0 0 0 1
8043 111769 0 0 0 1
8049 59610 0 0 0 1
8062 26064 0 0 5057 1
8099 99350 0 0 0 1
8111 53322 0 0 0 1
8931 34772 0 0 0 1
9402 618453 0 0 10000 0
"""

FIELDS = np.array([[int(text) for text in line.split()] for line in CATEGORIES.split("\n")[1:-1]], dtype=np.int64)
MCC, SHARE, REFUNDED, ONLINE, CHAIN, LOCAL = FIELDS.T.copy()
CODES = [int(code) for code in MCC]

# Refunds within half an hour at service stations and food stores; everywhere else within four weeks.
IS_PROMPT = np.isin(MCC, (5499, 5541))
MONEY_TRANSFER = CODES.index(4829)
TRAVEL_AGENCY = CODES.index(4722)
TRANSFER_DOLLARS = (80, 100, 60, 120, 40, 140, 20, 160, 180, 200, 220, 260, 280, 420)
TRANSFER_WEIGHTS = (2178, 2022, 1494, 1428, 810, 714, 431, 357, 164, 59, 37, 15, 15, 7)
REFUND_DAYS_WEIGHTS = (225, 175, 135, 105, 80, 62, 48, 37, 29, 22, 17, 13, 10, 8, 6, 5, 4, 3, 2, 2, 1, 1, 1, 1)

HOUR_COUNTS = (
    *(140582, 115586, 112787, 103478, 114985, 182965, 758856, 901756, 880501, 876423, 871512, 943671),
    *(953498, 900703, 887776, 858022, 864678, 482230, 472559, 457434, 423636, 424523, 418877, 158877),
)
# A client's own hours, busiest first, in 64ths: the four busiest hold about two thirds.
HOUR_SLOTS = (11, 9, 7, 6, 5, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1)

# Rows per day in each year, and the weekday (0 = Monday) that begins the year's quiet pair of days.
DAILY_ROWS = dict(enumerate((3410, 3576, 3651, 3724, 3754, 3800, 3798, 3811, 3787, 3774), start=2010))
QUIET_PAIR = dict(enumerate((4, 5, 6, 1, 2, 3, 4, 6, 0, 1), start=2010))

# Rows of a client against the mean, per thousand, at 32 evenly spaced ranks.
CLIENT_VOLUMES = (
    *(217, 316, 381, 433, 480, 522, 562, 600, 637, 674, 710, 746, 782, 818, 855, 892),
    *(931, 971, 1012, 1055, 1100, 1148, 1200, 1255, 1316, 1384, 1461, 1551, 1659, 1800, 2005, 2423),
)
# How much likelier than others a client is to lack the balance, in 16ths; the mean is 16.
CLIENT_RISKS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 17, 20, 24, 30, 37, 45, 52)

CLIENT_IDS = 2000
CARDS_PER_CLIENT = {1: 416, 2: 388, 3: 449, 4: 376, 5: 206, 6: 105, 7: 40, 8: 17, 9: 3}
# How a client's rows fall on the cards, in 64ths, by the number of cards.
CARD_SLOTS = {
    1: (64,),
    2: (35, 29),
    3: (33, 20, 11),
    4: (28, 18, 11, 7),
    5: (24, 17, 12, 7, 4),
    6: (22, 16, 12, 7, 5, 2),
    7: (21, 15, 11, 8, 5, 3, 1),
    8: (20, 14, 11, 8, 5, 3, 2, 1),
    9: (19, 14, 11, 8, 5, 3, 2, 1, 1),
}

CHANNELS = ("Swipe Transaction", "Chip Transaction", "Online Transaction")
SWIPE, CHIP, ONLINE_CHANNEL = range(3)

# Insufficient balance per million rows, by the highest amount in cents that the rate holds for; none above the last.
BALANCE_AMOUNTS = (0, 2000, 5000, 10000, 20000, 40000)
BALANCE_RATES = (7180, 2560, 10120, 16800, 19520, 720, 0)

# Other errors: per million rows in person, per million rows online.
ERRORS = (
    ("Bad PIN", 2820, 0),
    ("Technical Glitch", 2030, 1650),
    ("Bad Zipcode", 76, 0),
    ("Bad Card Number", 0, 5060),
    ("Bad Expiration", 0, 4080),
    ("Bad CVV", 0, 3630),
    ("Bad CVV,Insufficient Balance", 0, 15),
    ("Bad CVV,Technical Glitch", 0, 15),
    ("Bad Card Number,Bad CVV", 0, 28),
    ("Bad Card Number,Bad Expiration", 0, 28),
    ("Bad Card Number,Insufficient Balance", 0, 28),
    ("Bad Card Number,Technical Glitch", 0, 15),
    ("Bad Card Number,Bad Expiration,Insufficient Balance", 0, 2),
    ("Bad Expiration,Bad CVV", 0, 28),
    ("Bad Expiration,Insufficient Balance", 0, 56),
    ("Bad Expiration,Technical Glitch", 0, 56),
    ("Bad PIN,Insufficient Balance", 8, 0),
    ("Bad PIN,Technical Glitch", 12, 0),
    ("Bad Zipcode,Insufficient Balance", 2, 0),
    ("Bad Zipcode,Technical Glitch", 2, 0),
    ("Insufficient Balance,Technical Glitch", 19, 28),
)

"""Where transactions happen: a small gazetteer, grouped by state so that a state is one slice of it.

Shares are row counts per 100,000 (states) or as observed (countries). A zip is a number, as in the source: it has
lost its leading zero.
"""

import numpy as np

from devcloud.sample.draws import Weighted

STATE_SHARES = """
AK 105 AL 1510 AR 950 AZ 1637 CA 12093 CO 1338 CT 1196 DC 139 DE 150 FL 6352 GA 3136 HI 701 IA 1335 ID 399 IL
4126 IN 2910 KS 942 KY 1256 LA 1431 MA 1106 MD 1660 ME 314 MI 3133 MN 1657 MO 1736 MS 1032 MT 218 NC 3561 ND 164
NE 574 NH 481 NJ 2774 NM 930 NV 605 NY 7542 OH 4129 OK 1287 OR 942 PA 3493 RI 543 SC 1547 SD 317 TN 2260 TX 8713
UT 291 VA 1954 VT 184 WA 2557 WI 1400 WV 509 WY 90
"""

CITIES = """
AK: 99501 Anchorage, 99701 Fairbanks
AL: 35202 Birmingham, 36602 Mobile, 35801 Huntsville, 36105 Montgomery, 36801 Opelika, 36317 Clopton
AR: 72201 Little Rock, 72901 Fort Smith, 72701 Fayetteville, 72958 Waldron
AZ: 85001 Phoenix, 85701 Tucson, 85201 Mesa, 85250 Scottsdale, 86426 Fort Mohave, 85623 Oracle
CA: 90001 Los Angeles, 92101 San Diego, 95109 San Jose, 94101 San Francisco, 95811 Sacramento, 93650 Fresno
CA: 93301 Bakersfield, 94601 Oakland, 90801 Long Beach, 93101 Santa Barbara, 92801 Anaheim, 95201 Stockton
CA: 92602 Irvine, 92401 San Bernardino, 91201 Glendale, 94701 Berkeley, 92501 Riverside, 95350 Modesto
CA: 92701 Santa Ana, 91909 Chula Vista, 92877 Corona, 92025 Escondido, 93901 Salinas, 90401 Santa Monica
CA: 93001 Ventura, 90601 Whittier, 91501 Burbank, 92840 Garden Grove, 92605 Huntington Beach
CA: 92658 Newport Beach, 92051 Oceanside, 95324 Hilmar, 92386 Sugarloaf, 95453 Lakeport, 92694 Ladera Ranch
CA: 92254 Mecca, 93561 Tehachapi, 95367 Riverbank, 93241 Lamont, 96020 Chester, 94549 Lafayette
CA: 93225 Frazier Park, 93933 Marina, 92040 Lakeside, 95683 Sloughhouse, 93532 Lake Hughes
CO: 80201 Denver, 80901 Colorado Springs, 80010 Aurora, 80120 Littleton, 80517 Estes Park
CT: 6103 Hartford, 6901 Stamford, 6511 New Haven, 6850 Norwalk, 6068 Salisbury
DC: 20001 Washington
DE: 19801 Wilmington, 19702 Newark
FL: 33101 Miami, 32801 Orlando, 33601 Tampa, 32202 Jacksonville, 33301 Fort Lauderdale, 33701 Saint Petersburg
FL: 34101 Naples, 34230 Sarasota, 33401 West Palm Beach, 32501 Pensacola, 33060 Pompano Beach, 33801 Lakeland
FL: 32301 Tallahassee, 33901 Fort Myers, 33019 Hollywood, 34470 Ocala, 33568 Riverview, 32066 Mayo
FL: 34220 Palmetto, 32038 Fort White, 33408 North Palm Beach, 33860 Mulberry, 33004 Dania, 34274 Nokomis
GA: 30301 Atlanta, 31401 Savannah, 30901 Augusta, 31901 Columbus, 31201 Macon, 30006 Marietta, 31701 Albany
GA: 30030 Decatur, 31566 Waynesville, 30137 Emerson, 31637 Lenox, 31636 Lake Park
HI: 96812 Honolulu, 96720 Hilo, 96772 Naalehu
IA: 50309 Des Moines, 51101 Sioux City, 52401 Cedar Rapids, 52801 Davenport, 50533 Eagle Grove
ID: 83701 Boise, 83401 Idaho Falls
IL: 60601 Chicago, 61101 Rockford, 61601 Peoria, 60502 Aurora, 62201 East Saint Louis, 60431 Joliet
IL: 62702 Springfield, 60540 Naperville, 62220 Belleville, 61701 Bloomington, 61820 Champaign, 61725 Carlock
IL: 60446 Romeoville, 61283 Tampico, 60804 Cicero, 62024 East Alton
IN: 46201 Indianapolis, 46802 Fort Wayne, 46601 South Bend, 47710 Evansville, 46011 Anderson, 47901 Lafayette
IN: 47302 Muncie, 47401 Bloomington, 47280 Taylorsville, 46510 Claypool, 47847 Dana
KS: 67202 Wichita, 66601 Topeka, 66204 Overland Park, 67117 North Newton
KY: 40201 Louisville, 40502 Lexington, 42101 Bowling Green, 41011 Covington, 42746 Hardyville
LA: 70802 Baton Rouge, 70113 New Orleans, 71101 Shreveport, 70601 Lake Charles, 71468 Provencal
MA: 2108 Boston, 1103 Springfield, 1602 Worcester, 1082 Ware
MD: 21201 Baltimore, 20901 Silver Spring, 21401 Annapolis, 20781 Hyattsville, 21132 Pylesville, 21918 Conowingo
ME: 4101 Portland, 4210 Auburn
MI: 48201 Detroit, 49501 Grand Rapids, 48501 Flint, 49001 Kalamazoo, 48906 Lansing, 48601 Saginaw
MI: 48103 Ann Arbor, 48088 Warren, 48237 Oak Park, 48065 Romeo, 48383 White Lake, 49788 Kincheloe
MN: 55401 Minneapolis, 55102 Saint Paul, 55803 Duluth, 55901 Rochester, 56065 Mapleton, 56514 Barnesville
MO: 63101 Saint Louis, 64105 Kansas City, 65801 Springfield, 64050 Independence, 64501 Saint Joseph
MO: 65065 Osage Beach, 64439 Dearborn
MS: 39202 Jackson, 39301 Meridian, 39530 Biloxi, 38622 Crowder
MT: 59101 Billings, 59715 Bozeman
NC: 28202 Charlotte, 27601 Raleigh, 27401 Greensboro, 27701 Durham, 27101 Winston Salem, 28801 Asheville
NC: 28401 Wilmington, 28303 Fayetteville, 27511 Cary, 27530 Goldsboro, 28330 Cordova, 27313 Pleasant Garden
NC: 28098 Lowell, 27923 Coinjock
ND: 58102 Fargo, 58501 Bismarck
NE: 68102 Omaha, 68501 Lincoln
NH: 3101 Manchester, 3060 Nashua
NJ: 8607 Trenton, 7101 Newark, 7501 Paterson, 7302 Jersey City, 8101 Camden, 7011 Clifton, 8817 Edison
NJ: 7060 Plainfield, 7422 Highland Lakes, 7624 Closter, 7704 Fair Haven
NM: 87102 Albuquerque, 87501 Santa Fe, 88001 Las Cruces, 88032 Dona Ana
NV: 89101 Las Vegas, 89501 Reno
NY: 10001 New York, 11201 Brooklyn, 14201 Buffalo, 10451 Bronx, 14602 Rochester, 13202 Syracuse
NY: 10301 Staten Island, 12202 Albany, 12301 Schenectady, 11431 Jamaica, 10601 White Plains, 11352 Flushing
NY: 10550 Mount Vernon, 14301 Niagara Falls, 10701 Yonkers, 11102 Astoria, 13901 Binghamton, 14901 Elmira
NY: 11020 Great Neck, 10801 New Rochelle, 12431 Freehold, 12758 Livingston Manor, 12116 Maryland
NY: 12979 Rouses Point, 12932 Elizabethtown, 14069 Glenwood, 11717 Brentwood, 11932 Bridgehampton
NY: 12959 Mooers Forks
OH: 45202 Cincinnati, 44102 Cleveland, 43085 Columbus, 45402 Dayton, 44301 Akron, 43604 Toledo, 44702 Canton
OH: 44501 Youngstown, 44901 Mansfield, 45801 Lima, 45502 Springfield, 43333 Lewistown, 44606 Apple Creek
OH: 43015 Delaware, 44024 Chardon, 45653 Minford
OK: 73104 Oklahoma City, 74101 Tulsa, 73003 Edmond, 73026 Norman, 73735 Drummond
OR: 97201 Portland, 97301 Salem, 97401 Eugene, 97355 Lebanon
PA: 19101 Philadelphia, 15201 Pittsburgh, 16501 Erie, 19601 Reading, 17102 Harrisburg, 18503 Scranton
PA: 17401 York, 17601 Lancaster, 18101 Allentown, 15486 Vanderbilt, 17502 Bainbridge, 15658 Ligonier
PA: 17801 Sunbury
RI: 2903 Providence, 2910 Cranston
SC: 29401 Charleston, 29201 Columbia, 29601 Greenville, 29572 Myrtle Beach, 29130 Ridgeway, 29944 Varnville
SD: 57101 Sioux Falls, 57701 Rapid City
TN: 37501 Memphis, 37201 Nashville, 37909 Knoxville, 37402 Chattanooga, 37127 Murfreesboro, 37311 Cleveland
TN: 38012 Brownsville, 38501 Cookeville, 37337 Grandview
TX: 77002 Houston, 75201 Dallas, 78201 San Antonio, 73301 Austin, 76102 Fort Worth, 78401 Corpus Christi
TX: 79901 El Paso, 76001 Arlington, 79401 Lubbock, 79101 Amarillo, 75701 Tyler, 77701 Beaumont, 77373 Spring
TX: 76702 Waco, 75015 Irving, 79701 Midland, 76301 Wichita Falls, 79601 Abilene, 77301 Conroe, 75040 Garland
TX: 78040 Laredo, 75601 Longview, 75115 Desoto, 79528 Jayton, 77455 Louise, 78959 Waelder, 75172 Wilmer
TX: 79036 Fritch, 79351 Odonnell, 76633 China Spring, 76671 Morgan, 76476 Tolar, 77630 Orange
UT: 84101 Salt Lake City, 84401 Ogden
VA: 23218 Richmond, 22301 Alexandria, 23502 Norfolk, 23450 Virginia Beach, 22201 Arlington, 22565 Thornburg
VA: 23062 Gloucester Point
VT: 5401 Burlington, 5701 Rutland
WA: 98101 Seattle, 98401 Tacoma, 99201 Spokane, 98660 Vancouver, 98501 Olympia, 98004 Bellevue, 98030 Kent
WA: 98385 South Prairie, 98850 Rock Island, 98503 Lacey
WI: 53202 Milwaukee, 53703 Madison, 54301 Green Bay, 53140 Kenosha, 54562 Three Lakes
WV: 25301 Charleston, 25701 Huntington
WY: 82601 Casper, 82001 Cheyenne
"""

COUNTRIES = """
Mexico 721: Cancun, Cabo San Lucas, Acapulco, Puerto Vallarta, Guadalajara
Italy 207: Rome
Germany 150: Berlin
Canada 126: Toronto, Montreal
Netherlands 100: Amsterdam
Aruba 63: Oranjestad
Japan 58: Tokyo
France 51: Paris
China 51: Shanghai
United Kingdom 51: Edinburgh
Dominican Republic 39: Santo Domingo
Ireland 37: Dublin
Norway 32: Oslo
Greece 31: Athens
Czech Republic 31: Prague
Switzerland 31: Geneva
Australia 29: Sydney
Taiwan 28: Tapei
The Bahamas 23: Nassau
Brazil 22: Rio de Janeiro
India 21: Delhi
Philippines 20: Manila
Haiti 19: Port au Prince
Jamaica 17: Kingston
Israel 16: Jerusalem
Singapore 15: Singapore
South Korea 14: Seoul
Spain 12: Barcelona
Vatican City 9: Vatican City
Turkey 7: Istanbul
"""

_state_weights = dict(zip(STATE_SHARES.split()[::2], map(int, STATE_SHARES.split()[1::2]), strict=True))
_cities = [
    (line.partition(": ")[0], int(entry.split(" ", 1)[0]), entry.split(" ", 1)[1])
    for line in CITIES.split("\n")[1:-1]
    for entry in line.partition(": ")[2].split(", ")
]
_abroad = [
    (line.partition(":")[0].rsplit(" ", 1), city)
    for line in COUNTRIES.split("\n")[1:-1]
    for city in line.partition(": ")[2].split(", ")
]

# Every place by its number: the cities, then the foreign ones, then the place of online rows.
CITY = [city for _, _, city in _cities] + [city for _, city in _abroad] + ["ONLINE"]
STATE = [state for state, _, _ in _cities] + [country for (country, _), _ in _abroad] + [None]
ZIP = [code for _, code, _ in _cities] + [None] * (len(_abroad) + 1)
AT_HOME = len(_cities)
IN_PERSON = len(CITY) - 1
ONLINE = IN_PERSON

_state_sizes = {state: STATE.count(state) for state in _state_weights}
_country_sizes = {country: sum(name == country for (name, _), _ in _abroad) for (country, _), _ in _abroad}
STATE_START = np.array([STATE.index(state) for state, _, _ in _cities], dtype=np.int64)
STATE_SIZE = np.array([_state_sizes[state] for state, _, _ in _cities], dtype=np.int64)

_home_weights = [_state_weights[state] * 1000 // _state_sizes[state] for state, _, _ in _cities]
_abroad_weights = [int(share) * 1000 // _country_sizes[country] for (country, share), _ in _abroad]
HOMES = Weighted(_home_weights)
# One trip in fourteen goes abroad: the countries' shares add up to about 2,000, the states' to 100,000.
TRIPS = Weighted([*_home_weights, *(weight * 4 for weight in _abroad_weights)])

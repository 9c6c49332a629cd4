"""Who is paid: chain merchants (one id in many cities), online merchants, and local ones (one id, one place).

Chain and online merchants are `id:weight` within their merchant category; local ids are every other id of the range.
"""

import numpy as np

from devcloud.sample import figures
from devcloud.sample.draws import Draws, Flags, Integers, below, lower

MERCHANTS = """
3000 chain 60152:10000
3001 chain 5594:10000
3005 chain 41620:10000
3006 chain 95826:10000
3007 chain 30497:10000
3008 chain 47203:10000
3009 chain 45992:10000
3058 chain 38489:10000
3066 chain 85600:10000
3075 chain 80871:10000
3132 chain 57386:10000
3144 chain 95676:10000
3174 chain 68977:10000
3256 chain 29742:10000
3260 chain 7257:10000
3359 chain 51300:10000
3387 chain 41523:10000
3389 chain 16790:10000
3390 chain 15426:10000
3393 chain 15574:10000
3395 chain 92822:10000
3405 chain 71883:10000
3504 chain 52923:10000
3509 chain 49637:10000
3596 chain 74934:10000
3640 chain 3558:10000
3684 chain 7777:10000
3722 chain 59474:10000
3730 chain 57133:10000
3771 chain 39991:10000
3775 chain 78644:10000
3780 chain 44795:10000
4111 chain 37369:10000
4112 chain 19363:10000
4121 online 18563:5015 16798:4985
4131 chain 3822:5122 45021:2683 24427:1463 95690:732
4214 chain 83271:8443 24504:1557
4411 online 47225:2500 9026:2500 9922:2500 7202:1667 39105:833
4511 online 6063:10000
4722 online 90999:2663 70268:2554 52073:2494 13348:2289
4784 online 39021:7600 50404:2069 15143:173 41122:101 96246:35 88998:22
4814 chain 30286:5003 54850:2952 86616:2045
4814 online 73186:10000
4829 chain 27092:10000
4899 chain 47184:10000
4899 online 56276:1921 86369:1767 65108:1343 37387:1312 4802:1265 96529:1242 32480:1150
4900 chain 2728:10000
4900 online 17976:3563 87530:1508 84682:1387 726:1129 61641:729 79050:683 13154:607 54298:228
4900 online 24827:101 63579:30 42967:20 31263:10 6458:5
5045 chain 75034:5417 39821:4583
5045 online 82383:4000 83491:2250 26831:2000 44197:1750
5094 chain 61738:10000
5192 online 98436:1080 20751:986 74587:892 16229:798 58808:798 42332:751 30130:751 54380:704
5192 online 59415:657 22696:610 30790:563 40981:516 67455:516 40263:376
5193 online 89705:3377 23329:3377 51180:3245
5211 chain 86410:5247 26909:4753
5251 chain 89069:6803 48618:3197
5300 chain 60569:8886 11901:503 41515:391 40859:136 21739:12 21205:12 81591:11 14800:10
5300 chain 36946:9 54139:8 88544:6 432:5 6489:5 72542:5
5310 chain 94123:2834 13523:2391 69956:1941 81536:1660 34702:842 41184:333
5311 chain 48919:3052 32858:1799 19964:1482 67570:845 99370:836 90865:607 31893:487 86959:321
5311 chain 38602:229 81477:189 65881:134 54773:18
5311 online 9932:5895 88459:4105
5411 chain 50783:4129 75781:2244 46284:1180 91128:891 2177:536 98374:465 83229:409 10792:126
5411 chain 77786:8 85268:7 63694:5
5499 chain 59935:4852 43293:2768 14528:1150 86438:995 60600:202 5248:32
5533 chain 70005:5135 92070:4324 26516:541
5533 online 82026:10000
5541 chain 26810:3065 61195:2899 22204:1380 49789:536 96049:493 50867:462 28395:422 30928:332
5541 chain 72351:259 68671:63 56431:50 41260:39
5651 chain 4439:3664 68751:2911 20916:2414 8021:1010
5651 online 51397:10000
5661 chain 94625:10000
5661 online 94989:10000
5712 chain 55555:5532 34490:4468
5712 online 21776:10000
5719 chain 34490:7202 18215:2798
5722 chain 92033:2222 51424:2222 14241:1111 73923:1111 35421:1111 34817:1111 1067:1111
5732 chain 76639:10000
5732 online 76210:5490 86286:4510
5733 chain 27812:2857 62117:1429 17187:1429 37477:1429 89590:1429 31886:1429
5812 chain 88646:1819 35451:1564 55060:1560 78454:1327 23481:972 44578:822 59397:732 87625:263
5812 chain 20884:216 17493:184 22938:149 92883:145 25717:129 12727:23 81829:17 48038:13
5812 chain 11453:13 64008:13 75195:12 10186:11 6861:8 64908:6
5813 chain 57391:5299 63405:2137 51961:1966 5684:598
5814 chain 25887:4197 75936:2681 98648:1246 69972:652 45926:341 79664:314 44919:190 12014:80
5814 chain 72515:50 78605:50 2703:41 67390:38 59199:35 33526:34 91264:29 86203:24
5815 online 39261:3396 85247:3391 47399:3213
5816 online 77020:5238 38676:4643 42693:119
5912 chain 20561:5040 81833:2607 82981:1430 79927:923
5941 chain 77649:10000
5942 chain 20519:10000
5970 chain 11468:10000
5977 chain 47278:10000
6300 online 72813:1277 45453:1050 36495:723 54730:624 43422:582 94901:567 88746:511 71397:511
6300 online 43531:496 68684:440 48267:411 76721:411 48880:397 54251:383 98275:383 89650:355
6300 online 11722:326 35377:312 27350:241
7349 online 27310:5011 81759:4989
7393 chain 1238:10000
7393 online 34256:10000
7538 chain 32175:3789 36934:1479 24823:1395 13646:1285 71667:564 27601:303 46474:283 95855:273
7538 chain 83743:159 5900:146 83434:114 46965:93 42858:56 22465:34 66010:19 49463:8
7801 online 70129:2008 52100:1847 38958:1767 50292:1566 23446:1446 84554:1365
7802 chain 16041:3650 42636:3232 34488:1825 40475:684 27213:456 60594:152
7832 chain 19756:3392 30055:3106 32606:2888 96883:615
7922 online 59350:5186 80770:4814
7996 online 75393:3482 94212:3304 89949:3214
8062 chain 22792:10000
9402 chain 83480:10000
"""

FIRST_MERCHANT, MERCHANT_RANGE = 22, 100_319
# Any multiplier without a common factor with the number of local ids spreads neighbours over the whole range.
_SPREAD = 61_001


class _Listed:
    """The merchants of one kind, chosen by weight within a category."""

    def __init__(self, kind: str) -> None:
        lists: dict[int, list[tuple[int, int]]] = {}
        for line in MERCHANTS.split("\n")[1:-1]:
            mcc, line_kind, *entries = line.split()
            if line_kind == kind:
                pairs = [(int(entry.split(":")[0]), int(entry.split(":")[1])) for entry in entries]
                lists.setdefault(figures.CODES.index(int(mcc)), []).extend(pairs)
        bounds: list[int] = []
        for mcc_index, pairs in sorted(lists.items()):
            running = np.cumsum([weight for _, weight in pairs])
            bounds += [(mcc_index << 32) + (int(bound) << 32) // int(running[-1]) for bound in running]
        self.ids = np.array([merchant for _, pairs in sorted(lists.items()) for merchant, _ in pairs], dtype=np.int64)
        self._bounds = np.array(bounds, dtype=np.int64)

    def pick(self, mcc: Integers, draws: Draws) -> Integers:
        """Choose a merchant id by the upper halves of draws; a category without a list gets any."""
        wanted = (mcc << 32) + (draws >> np.uint64(32)).astype(np.int64)
        position = np.searchsorted(self._bounds, wanted, side="right")
        return self.ids[np.minimum(position, len(self.ids) - 1)]


_CHAINS, _ONLINE = _Listed("chain"), _Listed("online")
_LOCAL_START = np.cumsum(figures.LOCAL) - figures.LOCAL
_LOCAL_PER_PLACE = int(figures.LOCAL.sum())
_LOCAL_IDS = np.setdiff1d(
    np.arange(FIRST_MERCHANT, FIRST_MERCHANT + MERCHANT_RANGE), np.concatenate([_CHAINS.ids, _ONLINE.ids])
)


def _local(mcc: Integers, place: Integers, draws: Draws) -> Integers:
    # The square of an even draw makes the first merchants of a place the busy ones.
    even = below(draws, 1 << 15)
    rank = even * even * figures.LOCAL[mcc] >> 30
    number = place * _LOCAL_PER_PLACE + _LOCAL_START[mcc] + rank
    ids: Integers = _LOCAL_IDS[number * _SPREAD % len(_LOCAL_IDS)]
    return ids


def merchant_ids(mcc: Integers, place: Integers, draws: Draws, *, online: Flags) -> Integers:
    """Draw one merchant id per row; a local id belongs to one place and one category."""
    in_chain = below(lower(draws), 10_000) < figures.CHAIN[mcc]
    in_person = np.where(in_chain, _CHAINS.pick(mcc, draws), _local(mcc, place, draws))
    return np.where(online, _ONLINE.pick(mcc, draws), in_person)

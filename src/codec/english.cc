#include "codec/english.h"

namespace smll::codec {

// Part of the format: any change here makes archives of Method::kCmEnglish unreadable. First
// sentences, then what words stand beside each other, then words with those of their kind, and
// endings.
std::string_view common_english() {
  return R"text(It was the first time that he had been there, and he did not know what to do. She said that they
would have to go with them, but there was nothing left to say. "What is it?" he asked. "I don't
know," she said. "I can't tell you what I think about this, but I will try." They were all in
the same place at the same time. Then, in the middle of the night, one of them came back to the
house. If you want to see how it works, you should look at the end of the page. There are many
things which could be done, for example with more than one person. As soon as possible, we must
find out who has taken it and why. He was not able to get into the room because of the door. On
the other hand, it may be that some of these are no longer in use. I have never seen anything
like that before. You must not use it without the permission of the author. It is one of the
most important parts of the system. At last the old man turned away from the window and began to
speak. In order to make sure that nothing was wrong, they went through it again from the
beginning to the end. This is not the case when the number of people is very small. For a long
time there had been no sound at all, and by that time everyone was tired. We are going to need a
little more help with each of those questions. Let me know when you are ready; it doesn't matter
how long it takes. The following is a list of the names and the numbers that were given during
the year. According to the report, at least half of the money was spent on water, food and work.
I'm sure that's what they're looking for, isn't it? He didn't want to, and he wouldn't have, if
it hadn't been for his mother and father. Mr. Brown and Mrs. White were both standing near the
table. "Oh, no!" cried the girl, "I won't! You've made a mistake." "Well," replied the boy,
"perhaps you're right; I'll come with you, and we'll see." Please send any comments or changes
to the address below. So far as I can see, there is only one thing that has been changed since
then. It has become clear that a great deal of the information, such as the name of the company,
is available to the public. However, under the terms of the agreement, either side may decide
against it. Although they had always lived between the river and the sea, their children knew
very little of it. After a while she looked up, took his hand, and sat down upon the ground. He
thought for a moment, put on his hat, and walked out into the street without another word. The
government of the United States, together with other countries, has been asked to provide
support for the war against the local power. In this section the results are shown as a function
of the level, and the values that follow from them are compared with the data above. What
happened next? Nobody could understand how it had started, or where it came from, until several
days later. Once upon a time there lived a king whose daughter was very beautiful. She felt as
if her heart would break, yet she smiled. They stopped, turned around and heard a voice. It
seems to me that you ought to keep it, rather than give it to somebody else. Each other, every
one, even though, just as, so that, out of, up to, over the, on to, by the, at the, to the, to
be, of the, in the, and the, for the, from the, with the, that the, with a, in a, of a, as a, to
a, is a, was a, is the, was the, it is, he was, she was, there is, they are, we have, you can, I
am, has been, have been, had been, would be, will be, can be, may be, could be, should be, must
be, might be, not be, did not, do not, does not, was not, is not, are not, were not, cannot,
could not, would not, will not, should not, had not, have not, which is, which was, who was, who
are, that is, that was, that he, that she, that it, that I, that they, when he, when the, if
the, but the, what the, as the, than the, all the, one of, some of, part of, most of, each of,
many of, any of, because of, kind of, sort of, out the, into the, about the, after the, before
the, between the, under the, through the, during the, against the, his own, her own, their own,
its own, my own, at all, at once, at first, as well as, as much as, a lot of, a few, a good, a
great, a new, the new, the other, the most, the last, the world, the people, such a, so much,
too much, how much, very much, no more, no one, not only, more and more, once more, for ever, in
fact, of course, in front of I me my mine myself you your yours yourself he him his himself she
her hers herself it its itself we us our ours they them their theirs themselves who whom whose
which what when where why how this that these those here there anything something nothing
everything anyone someone everyone somewhere everywhere whenever whatever be is am are was were
been being have has had having do does did done doing can could will would shall should may
might must say says said saying tell told telling ask asked asking answer answered speak spoke
spoken speaking talk talked talking call called calling see saw seen seeing look looked looking
watch watched hear heard hearing feel felt feeling know knew known knowing think thought
thinking believe believed understand understood remember remembered forget forgot forgotten want
wanted wanting wish wished hope hoped need needed like liked love loved hate hated go goes went
gone going come came coming get got getting give gave given giving take took taken taking make
made making put putting set setting keep kept keeping let letting leave left leaving bring
brought bringing find found finding lose lost show showed shown showing seem seemed become
became begin began begun beginning start started starting stop stopped stopping end ended run
ran running walk walked walking turn turned turning move moved moving stand stood standing sit
sat sitting lie lay lying fall fell fallen falling rise rose rising open opened opening close
closed hold held holding carry carried send sent sending meet met meeting pay paid buy bought
sell sold read reading write wrote written writing learn learned teach taught play played
playing work worked working live lived living die died dead kill killed eat ate eaten eating
drink drank sleep slept wait waited waiting follow followed following lead led try tried trying
help helped helping use used using change changed changing create created include included
including provide provided allow allowed consider considered appear appeared remain remained
continue continued expect expected happen happened suppose supposed decide decided receive
received return returned reach reached pass passed cut draw drew drawn build built break broke
broken grow grew grown win won spend spent cause caused produce produced require required agree
agreed explain explained describe described suggest suggested add added offer offered serve
served stay stayed exclaimed whispered shouted laughed laughing time times year years day days
week weeks month months hour hours minute minutes moment morning evening night today tomorrow
yesterday man men woman women boy boys girl girls child children people person friend friends
family father mother son daughter brother sister husband wife king queen lord lady sir master
mistress doctor captain soldier servant teacher student body head face eye eyes ear ears nose
mouth hand hands arm arms leg foot feet finger hair heart mind soul voice word words name thing
things way ways place places part parts side end beginning world country state states city town
village house home room door window wall floor table chair bed garden street road field hill
mountain river water sea ship boat land earth ground sky sun moon star light dark darkness air
wind fire rain snow tree trees flower animal dog cat horse bird fish food bread meat wine money
price business company market government law order power war peace army battle enemy death life
birth truth reason question answer idea thought matter fact case point number line form kind
sort book books letter story page paper picture music song game school church office service
system program problem result results example information report history nature science language
art interest attention experience knowledge education development society policy process group
team member members party president minister court police university community control action
effect cause change use need sense view change position condition situation difference
opportunity treatment production management good better best bad worse worst great greater
greatest big small large little less least long longer short high higher low old young new early
late last next first second third fourth fifth one two three four five six seven eight nine ten
eleven twelve twenty thirty forty fifty hundred thousand million half whole full empty open free
sure true false real right wrong left strong weak hard soft hot cold warm cool white black red
green blue yellow brown grey clean clear deep wide heavy quick quickly slow slowly sudden
suddenly easy easily possible impossible important necessary different same similar several many
much more most few some any every all both either neither each other another such own certain
particular general common special public private national international political social
economic local human natural physical foreign modern recent present past future final main major
happy sad glad sorry afraid angry dear poor rich beautiful pretty fine nice kind strange curious
quiet silent ready alone together always never often sometimes usually already still yet soon
now then once twice again ever perhaps maybe indeed really quite rather very too also only even
just almost enough nearly hardly certainly probably generally especially finally therefore
however although though because since until while unless whether about above across after
against along among around at before behind below beneath beside besides between beyond by down
during except for from in inside into near of off on onto out outside over past through
throughout to toward towards under up upon with within without away back forward forth and or
but nor so if than as else instead Monday Tuesday Wednesday Thursday Friday Saturday Sunday
January February March April May June July August September October November December America
American England English London Paris France French Europe Germany German China Chinese God
Christian Lord Jesus John James William George Henry Charles Thomas Mary -ing -ed -er -est -ly
-ness -ment -tion -tions -ation -sion -able -ible -al -ial -ical -ive -ous -ious -ful -less -ity
-ance -ence -ant -ent -ist -ism -ize -ized -ify -ward -ship -hood thing's man's it's he's she's
let's there's
)text";
}

}  // namespace smll::codec

"""HistGradientBoosting as skl2onnx 1.20 writes it with protobuf 6.33; with 7 it does not.

How they are fitted: `mixed_tables`. Made by `to_onnx(fitted, rows[:1])`, in an environment of its
own, and kept here as text:

unpacked(CLASSIFIER)                       # the ONNX file
"""

import base64
import zlib

CLASSIFIER = (
    "c-qZX%}*0S6yI%^?e@_YSU&<qV^T4JMjL1h2hv%VHVBvsK}q<CN!`*dY}oEL-K|LC!Gx=XKfsvOix)$pF;Qcr5xwcj"
    "izjcMxarZ0ab|Z*TignsG?RHV^Jd;}-h1=j8xDBRSX1M=rrim%L$UZ^Y%t=Jlo(<3Q*ml!s{=NJKrirZs+5&gK3FX2"
    "St+ZiimAv(`1D*!md7<iE@V|XrAmgO<Q2ITX~B=4g7&Or$eG)cT9ys;Wbw67q1k90{LAD}M#&i>b#$xHzUVLnZ5d6^"
    "$wba8GGd$P6a6BH9=vjyH_4e;#l!c}4b4+;L{6>At;@>Fs%fC@y^X3(=%J4Zl)m3nMT6Uy1oSr7Euj4`i&eDq{$&Df"
    "obXlA?B{@hPOe7;B(9zpQ16>m6>SbYPN0rQ-*(XjzgIvH_rn5u_NmA6NH6f#ZI;)uUo><0GEtQ#sw@Iej5acPNj2n}"
    "{VcYUaqQr52W!S)>&eI-%_Y$D(CI+Sl36ZU!1N*admUFby3LJyuqME-Xb9QJtBP5YO#J#3b#L^4C*&>iaL(4epx`*x"
    "R_y4-@gps-kuWODE{0RC?r6y+E_&*LcIP5OuR`+r*mP<#lOCUKIcL)2V^^B!@4Kze9|!X|X#WVmLUYkM2-+U2B>`n6"
    "u3ZXPob;Sk0{((a9^wGitwgvN3)iyITtF6}tA<)WNLpJ18_$Qk-$C|RW82YOg8YJpfDP@`)pz<<0<ohP1$1WTXB7uB"
    "MKzEx_ru|xyZe2#VWTeQb~s;n?rikVKRCYF?AN_rXXDm~h9e}i&O)fD8zxC5&B*JeLWE1tOibOFn@Uw^?+7?QQLLas"
    "44fY*pqI^J+00n0Fq4uDGh)%GA3Ubs?W@q95ejZX^H;_5j$EC)5oVW^;x(xlamGJZ-9~NrzM1Lih5kv!Fege<PLVY;"
    "sbfQMaj1WG14~`x;|u_BG|vJB9*)U&LzDhI2Q25~JwRpqz(qqo6v6UQ4xeGLJe>?dgBqQ5k^!pI{|f^#;M)"
)
REGRESSOR = (
    "c-qZXO=uHA6rN4fWc%8NG_|!YiV%NVb4Y6hg~Cg=DQSx>DV9QG4~DJXrfZXp>}+ZgQ4fLzuj)alM4?_36%QgMNx_pB"
    "L9j=`gCHoLJlLx<yPMF|6l(P#!@imQ=Dlxc-_JY|d?H;)hq9Ws)a5!64D|*3{BBtda-fHVNdI~>d}{(B;S(2SU6p6j"
    "N>|&Yt|&2$DjD`Rp`>($(yZ>U4F}qwaYm*}a#2p_6p9B&--q*pE8v9&EosPlN-=1MkQW?*bKujmvkFbl$!V(ar8-L`"
    "msBSash&MV0;$2Ai6ok+o9z;Nhs&C}dBGi+0<TT2$VN^#iOJs%PW)N`kHtK%8oF$-A0*^P<bM}D0CRB2I(bH=RMk>e"
    "fRgMlE-X+s<&=Npq8AQmv_Hh<8Hi2{#0N)`W3jVUYv)*OV5kQ2JHC_7ZZ!ACvp4=doj)&#fk|k#JXS6OA_<a%CAX6$"
    "w~M8{$dViW1m%IKuo|pRcdh`T=5W*+oHYS0W!7A!Xt_RNCm?2#iWO!Ht+(GBs?aK3&iqP%CX3p>IyT<9BY11&{5s2F"
    "LU6ioU&&gT;_A;g5&W1jGrWwMA~3!g#)m(8ZL@ZNYZ0%wAC<Q2y)3M4wMFQR;OCWVw%O+Dz2cVLQx`u(@W9>W?O)@S"
    ")d`+US!(c7(&$`P&-k73@pvpR)CEogSa)7>msb#X#A)!@MrHpxOfOpTcGz*Y))l<kuvW--2roCxR17aGYHHq~*y<WC"
    ";gim1MO+<vTfogD`w^pSj}d#n9}VNp(6JJ_@~cH$d@dI;Qg^3-Prr^Lu3c{p<CpI45>9<uX12F!0XH51;>h5A#OxCA"
    "UeFJA!wF{6zQg13c%o-SrN*!>&#H=MM6=A9?1HMal;hJaydgCKh=R`r1RSDsrUNPss%l4wdSDB`SBN@+c-t-c3v3st"
    "MF"
)


def unpacked(text: str) -> bytes:
    """The bytes of one of them."""
    return zlib.decompress(base64.b85decode(text))

"""The table of the sound and video containers and codecs that are opened. Pure data.

Whatever the bundled FFmpeg reads without opening anything else is taken; LEFT_OUT and CODECS_LEFT_OUT have
the rest with the reason for each, and a test holds that every demuxer and decoder is named once. The line
below an empty field, the file dialog, the offers for a file in the wrong field and docs/files.md follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Holds = Literal["sound", "video", "picture"]
Magic = tuple[tuple[int, bytes], ...]
"""Bytes at offsets, all of which a file must have."""


@dataclass(frozen=True)
class Container:
    """`demuxer`: FFmpeg's name; `title`: the name on the page; `holds`: what such a file can be, first what
    it is taken for in a field that does not take it; `endings`: of file names; `magic`: its first bytes, as
    alternatives. One without magic is recognised by a repeated mark (sniff.py)."""

    demuxer: str
    title: str
    holds: tuple[Holds, ...]
    endings: tuple[str, ...]
    magic: tuple[Magic, ...] = ()

    def begins(self, head: bytes) -> bool:
        """Whether a file that begins with `head` has one of the signatures."""
        return any(
            all(head[offset : offset + len(mark)] == mark for offset, mark in alternative)
            for alternative in self.magic
        )


def _at(offset: int, *marks: bytes) -> tuple[Magic, ...]:
    return tuple(((offset, mark),) for mark in marks)


def _inside(outer: bytes, *inner: bytes) -> tuple[Magic, ...]:
    """A chunk at the beginning whose type follows its length."""
    return tuple(((0, outer), (8, mark)) for mark in inner)


_ZERO = b"\0"
ISO_BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx")
"""Boxes that an MP4 or MOV begins with; files from before 2001 have no ftyp."""
ISO_SMALL_BOXES = (b"wide", b"free", b"skip", b"pnot", b"uuid", b"junk", b"prfl", b"udta")
"""The same for boxes whose names are words of a text; they are shorter than 16 MB."""

CONTAINERS: tuple[Container, ...] = (
    # -- sounds with pictures, or without
    Container("mp4", "MP4", ("video", "sound"),
              ("mp4", "m4v", "mov", "qt", "3gp", "3g2", "f4v", "m4a", "m4b"),
              (*_at(4, *ISO_BOXES), *(((0, _ZERO), (4, box)) for box in ISO_SMALL_BOXES))),
    Container("matroska", "MKV", ("video", "sound"), ("mkv", "webm", "mka", "mk3d"),
              _at(0, b"\x1aE\xdf\xa3")),
    Container("avi", "AVI", ("video", "sound"), ("avi", "divx"),
              _inside(b"RIFF", b"AVI ", b"AVIX", b"AVI\x19", b"AMV ")),
    Container("mpegts", "TS", ("video", "sound"), ("ts", "mts", "m2ts", "m2t", "tp", "trp")),
    Container("mpeg", "MPG", ("video", "sound"), ("mpg", "mpeg", "vob", "mod", "dat"), _at(0, b"\0\0\1\xba")),
    Container("asf", "WMV", ("video", "sound"), ("wmv", "wma", "asf"),
              _at(0, b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel")),
    Container("flv", "FLV", ("video", "sound"), ("flv",), _at(0, b"FLV\1")),
    Container("ogg", "OGG", ("sound", "video"), ("ogg", "oga", "ogv", "opus", "spx"), _at(0, b"OggS")),
    Container("rm", "RM", ("video", "sound"), ("rm", "rmvb", "ra"), _at(0, b".RMF", b".ra\xfd")),
    Container("mxf", "MXF", ("video", "sound"), ("mxf",),
              _at(0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02")),
    Container("gxf", "GXF", ("video", "sound"), ("gxf",), _at(0, b"\0\0\0\0\1\xbc")),
    Container("nut", "NUT", ("video", "sound"), ("nut",), _at(0, b"nut/multimedia container\0")),
    Container("nsv", "NSV", ("video", "sound"), ("nsv",), _at(0, b"NSVf", b"NSVs")),
    Container("wtv", "WTV", ("video", "sound"), ("wtv",), _at(0, b"\xb7\xd8\x00\x20\x37\x49\xda\x11")),
    # -- pictures that move, without sound
    Container("gif", "GIF", ("picture", "video"), ("gif",), _at(0, b"GIF87a", b"GIF89a")),
    Container("apng", "APNG", ("picture", "video"), ("apng", "png")),
    Container("nuv", "NUV", ("video", "sound"), ("nuv",), _at(0, b"NuppelVideo", b"MythTVVideo")),
    Container("dhav", "DAV", ("video", "sound"), ("dav",), _at(0, b"DAHUA", b"DHAV")),
    Container("dv", "DV", ("video", "sound"), ("dv", "dif"), _at(0, b"\x1f\x07\x00")),
    Container("ivf", "IVF", ("video",), ("ivf",), _at(0, b"DKIF")),
    Container("yuv4mpegpipe", "Y4M", ("video",), ("y4m",), _at(0, b"YUV4MPEG2 ")),
    Container("mpegvideo", "M2V", ("video",), ("m1v", "m2v"), _at(0, b"\0\0\1\xb3")),
    Container("hevc", "HEVC", ("video",), ("h265", "hevc"),
              (*_at(0, b"\0\0\0\1\x40\1", b"\0\0\0\1\x42\1", b"\0\0\0\1\x46\1"),
               *_at(0, b"\0\0\1\x40\1", b"\0\0\1\x42\1", b"\0\0\1\x46\1"))),
    Container("h264", "H.264", ("video",), ("h264", "264", "avc"),
              (*_at(0, b"\0\0\0\1\x67", b"\0\0\0\1\x27", b"\0\0\0\1\x47", b"\0\0\0\1\x09"),
               *_at(0, b"\0\0\1\x67", b"\0\0\1\x27", b"\0\0\1\x47", b"\0\0\1\x09"))),
    # -- sounds
    Container("wav", "WAV", ("sound",), ("wav", "wave", "bwf", "rf64"),
              (*_inside(b"RIFF", b"WAVE"), *_inside(b"RF64", b"WAVE"), *_inside(b"BW64", b"WAVE"),
               *_inside(b"RIFX", b"WAVE"))),
    Container("mp3", "MP3", ("sound",), ("mp3", "mp2", "mpga")),
    Container("aac", "AAC", ("sound",), ("aac", "adts")),
    Container("flac", "FLAC", ("sound",), ("flac",), _at(0, b"fLaC")),
    Container("aiff", "AIFF", ("sound",), ("aif", "aiff", "aifc"), _inside(b"FORM", b"AIFF", b"AIFC")),
    Container("caf", "CAF", ("sound",), ("caf",), _at(0, b"caff")),
    Container("au", "AU", ("sound",), ("au", "snd"), _at(0, b".snd")),
    Container("amr", "AMR", ("sound",), ("amr", "awb"), _at(0, b"#!AMR\n", b"#!AMR-WB\n")),
    Container("w64", "W64", ("sound",), ("w64",),
              _at(0, b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00")),
    Container("xwma", "XWMA", ("sound",), ("xwma",), _inside(b"RIFF", b"XWMA")),
    Container("qcp", "QCP", ("sound",), ("qcp",), _inside(b"RIFF", b"QLCM")),
    Container("iff", "8SVX", ("sound",), ("8svx", "iff", "dff"),
              (*_inside(b"FORM", b"8SVX", b"16SV"), ((0, b"FRM8"), (12, b"DSD ")))),
    Container("loas", "LATM", ("sound",), ("loas", "latm")),
    Container("eac3", "E-AC-3", ("sound",), ("eac3", "ec3")),
    Container("ac3", "AC-3", ("sound",), ("ac3",), _at(0, b"\x0b\x77")),
    Container("dts", "DTS", ("sound",), ("dts",),
              _at(0, b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8")),
    Container("dtshd", "DTS-HD", ("sound",), ("dtshd",), _at(0, b"DTSHDHDR")),
    Container("truehd", "TrueHD", ("sound",), ("thd",), _at(4, b"\xf8\x72\x6f\xba")),
    Container("mlp", "MLP", ("sound",), ("mlp",), _at(4, b"\xf8\x72\x6f\xbb")),
    Container("ape", "APE", ("sound",), ("ape",), _at(0, b"MAC ")),
    Container("wv", "WavPack", ("sound",), ("wv",), _at(0, b"wvpk")),
    Container("tta", "TTA", ("sound",), ("tta",), _at(0, b"TTA1")),
    Container("tak", "TAK", ("sound",), ("tak",), _at(0, b"tBaK")),
    Container("mpc", "Musepack", ("sound",), ("mpc",), _at(0, b"MP+")),
    Container("mpc8", "Musepack", ("sound",), ("mpc",), _at(0, b"MPCK")),
    Container("dsf", "DSF", ("sound",), ("dsf",), _at(0, b"DSD ")),
    Container("shn", "SHN", ("sound",), ("shn",), _at(0, b"ajkg")),
    Container("oma", "OMA", ("sound",), ("oma", "omg", "aa3"), _at(0, b"ea3\3", b"EA3\1")),
    Container("voc", "VOC", ("sound",), ("voc",), _at(0, b"Creative Voice File\x1a")),
    Container("nistsphere", "NIST", ("sound",), ("nist", "sph"), _at(0, b"NIST_1A\n")),
    Container("sox", "SOX", ("sound",), ("sox",), _at(0, b".SoX", b"XoS.")),
    Container("osq", "OSQ", ("sound",), ("osq",), _at(0, b"OSQ ")),
    Container("rka", "RKA", ("sound",), ("rka",), _at(0, b"RKA")),
    Container("dss", "DSS", ("sound",), ("dss", "ds2"), _at(0, b"\2dss", b"\3dss")),
    Container("pvf", "PVF", ("sound",), ("pvf",), _at(0, b"PVF1\n")),
    Container("avr", "AVR", ("sound",), ("avr",), _at(0, b"2BIT")),
    Container("ircam", "IRCAM", ("sound",), ("sf", "ircam"),
              _at(0, b"\x64\xa3\1\0", b"\x64\xa3\2\0", b"\x64\xa3\3\0", b"\x64\xa3\4\0")),
    Container("qoa", "QOA", ("sound",), ("qoa",), _at(0, b"qoaf")),
)  # fmt: skip

BY_DEMUXER = {container.demuxer: container for container in CONTAINERS}

UNTESTED = ("dts", "dtshd", "truehd", "mlp", "ape", "tak", "mpc", "mpc8", "osq", "rka", "dss")
"""Those of which the tests read no file: nothing here writes one. Damaged ones are tested."""

LEFT_OUT: dict[str, str] = {
    "opens other files or addresses, or runs a script": """
        concat dash ffmetadata hls image2 image2pipe imf lavfi mlv rtp rtsp sap sdp swf
        webm_dash_manifest""",
    "a device of the machine": "alsa fbdev kmsgrab oss v4l2 x11grab",
    "another row of the table reads these files": """
        amrnb amrwb asf_o kux live_flv mpegtsraw vc1test""",
    "a bare stream that no signature distinguishes from other data": """
        act aea alaw apac apv aptx aptx_hd av1 avs2 avs3 bit bitpacked cavsvideo codec2
        codec2raw data daud dfpwm dirac dnxhd evc f32be f32le f64be f64le g722 g723_1 g726
        g726le g728 g729 gsm h261 h263 hxvs iamf ilbc ingenient ipu kvag lc3 m4v mjpeg
        mjpeg_2000 mpjpeg msnwctcp mulaw obu rawvideo s16be s16le s24be s24le s32be s32le s337m
        s8 sbc sdr2 sds ser sln spdif u16be u16le u24be u24le u32be u32le u8 v210 v210x vc1 vidc
        vvc wavarc""",
    "still pictures, which Pillow opens": """
        alias_pix bmp_pipe brender_pix cri_pipe dds_pipe dpx_pipe exr_pipe fits gem_pipe
        gif_pipe hdr_pipe ico j2k_pipe jpeg_pipe jpegls_pipe jpegxl_anim jpegxl_pipe jpegxs_pipe
        pam_pipe pbm_pipe pcx_pipe pfm_pipe pgm_pipe pgmyuv_pipe pgx_pipe phm_pipe photocd_pipe
        pictor_pipe png_pipe ppm_pipe psd_pipe qdraw_pipe qoi_pipe sgi_pipe sunrast_pipe
        svg_pipe tiff_pipe txd vbn_pipe webp_pipe xbm_pipe xpm_pipe xwd_pipe""",
    "text, subtitles and captions": """
        adf aqtitle ass bin cdg dvbsub dvbtxt idf jacosub lrc mcc microdvd mpl2 mpsub pjs rcwt
        realtext sami scc srt stl subviewer subviewer1 sup tedcaptions tty vobsub vplayer webvtt
        xbin""",
    "of a game, a console or a machine that is no longer made": """
        3dostr 4xm aa aax ac4 ace acm adp ads adx afc aix alp anm apc apm argo_asf argo_brp
        argo_cvg ast avs bethsoftvid bfi bfstm bink binka bmv boa bonk brstm c93 cdxl cine dcstr
        derf dfa dsicin dxa ea ea_cdata epaf film_cpk filmstrip flic frm fsb fwse gdv genh hca
        hcom hnm idcin ifv ipmovie iss iv8 ivr jv laf lmlm4 lvf lxf luodat mca mgsts mm mmf mods
        moflex msf msp mtaf mtv musx mv mvi mxg nc nsp paf pdv pmp pp_bnk psxstr pva r3d
        redspark rl2 roq rpl rsd rso sbg scd sdns sdx sga siff simbiosis_imx smjpeg smk smush
        sol svag svs thp tiertexseq tmv ty usm vag vivo vividas vmd vpk vqf wady wc3movie wsaud
        wsd wsvqa wve xa xmd xmv xvag yop""",
}
"""Reason -> FFmpeg's names of the demuxers that are not used for it."""

_CODECS: dict[str, str] = {
    "of the web and of cameras": """
        aac aac_fixed aac_latm ac3 ac3_fixed alac amrnb amrwb apng apv av1 dnxhd dvaudio dvvideo
        eac3 ffv1 flac gif h263 h264 hevc libdav1d libopencore_amrnb libopencore_amrwb libopus
        libvpx libvpx-vp9 mjpeg mp2 mp2float mp3 mp3float mpeg1video mpeg2video mpeg4 mpegvideo
        opus png prores theora vorbis vp8 vp9 vvc""",
    "of cutting rooms and capture cards": """
        012v aic asv1 asv2 avrn avrp avui bitpacked cavs cfhd cljr cllc cyuv dirac dolby_e dxv
        ffvhuff hap hqx hq_hqa huffyuv hymt jpeg2000 jpegls lagarith loco m101 magicyuv media100
        mjpegb mszh notchlc pixlet prores_raw prosumer qtrle r10k r210 rawvideo s302m sheervideo
        snow speedhq targa_y216 utvideo v210 v210x v308 v408 v410 vble vmix y41p ylc yuv4
        zerocodec zlib""",
    "of screen recorders": """
        camstudio camtasia dxtory fic flashsv flashsv2 fmvc fraps g2m lscr mscc mss1 mss2 msa1
        msrle mts2 mvha mwsc rasc rscc scpr screenpresso srgc tdsc tscc2 vmnc wcmv zmbv""",
    "of old videos": """
        8bps cinepak clearvideo escape124 escape130 flv h261 h263i h263p indeo2 indeo3 indeo4
        indeo5 mimic msmpeg4 msmpeg4v1 msmpeg4v2 msvideo1 mvc1 mvc2 mxpeg nuv qdraw qpeg rpza
        rv10 rv20 rv30 rv40 rv60 smc sp5x svq1 svq3 truemotion1 truemotion2 ultimotion vb vc1
        vc1image vcr1 vp3 vp4 vp5 vp6 vp6a vp6f vp7 wmv1 wmv2 wmv3 wmv3image wnv1 xl""",
    "of sound recorders and telephones": """
        adpcm_ct adpcm_ima_dk3 adpcm_ima_dk4 adpcm_ima_oki adpcm_ima_qt adpcm_ima_wav adpcm_ms
        adpcm_sanyo adpcm_sbpro_2 adpcm_sbpro_3 adpcm_sbpro_4 adpcm_swf adpcm_yamaha dss_sp evrc
        g722 g723_1 g726 g726le g728 g729 gsm gsm_ms ilbc msnsiren qcelp sbc siren speex
        truespeech""",
    "of music": """
        8svx_exp 8svx_fib als ape atrac1 atrac3 atrac3al atrac3plus atrac3plusal atrac9 cook dca
        dsd_lsbf dsd_lsbf_planar dsd_msbf dsd_msbf_planar dst iac imc mace3 mace6 metasound mlp
        mp1 mp1float mp3adu mp3adufloat mp3on4 mp3on4float mpc7 mpc8 nellymoser on2avc osq qdm2
        qdmc qoa ralf real_144 real_288 rka shorten sipr tak truehd tta twinvq wavpack
        wmalossless wmapro wmav1 wmav2 wmavoice xma1 xma2""",
    "without compression": """
        pcm_alaw pcm_bluray pcm_dvd pcm_f16le pcm_f24le pcm_f32be pcm_f32le pcm_f64be pcm_f64le
        pcm_lxf pcm_mulaw pcm_s16be pcm_s16be_planar pcm_s16le pcm_s16le_planar pcm_s24be
        pcm_s24daud pcm_s24le pcm_s24le_planar pcm_s32be pcm_s32le pcm_s32le_planar pcm_s64be
        pcm_s64le pcm_s8 pcm_s8_planar pcm_u16be pcm_u16le pcm_u24be pcm_u24le pcm_u32be
        pcm_u32le pcm_u8 pcm_vidc""",
}
CODECS: frozenset[str] = frozenset(name for names in _CODECS.values() for name in names.split())
"""FFmpeg's names of the decoders that are used."""

CODECS_LEFT_OUT: dict[str, str] = {
    "decodes in hardware that other programs use": """
        av1_amf av1_cuvid av1_qsv h263_v4l2m2m h264_amf h264_cuvid h264_qsv h264_v4l2m2m
        hevc_amf hevc_cuvid hevc_qsv hevc_v4l2m2m mjpeg_cuvid mjpeg_qsv mpeg1_cuvid
        mpeg1_v4l2m2m mpeg2_cuvid mpeg2_qsv mpeg2_v4l2m2m mpeg4_cuvid mpeg4_v4l2m2m vc1_cuvid
        vc1_qsv vc1_v4l2m2m vp8_cuvid vp8_qsv vp8_v4l2m2m vp9_amf vp9_cuvid vp9_qsv vp9_v4l2m2m
        vvc_qsv""",
    "no recording: made by a program, or empty": "anull comfortnoise ftr vnull wavesynth wrapped_avframe",
    "still pictures, which Pillow opens": """
        alias_pix bmp brender_pix cri dds dpx exr fits gem hdr iff pam pbm pcx pfm pgm pgmyuv
        pgx phm photocd pictor ppm psd ptx qoi sga sgi sgirle sunrast targa tiff txd vbn wbmp
        webp xbm xface xpm xwd""",
    "text art and karaoke": "ansi bintext cdgraphics idf tmv xbin",
    "of a game, a console or a machine that is no longer made": """
        4xm aasc acelp.kelvin adpcm_4xm adpcm_adx adpcm_afc adpcm_agm adpcm_aica adpcm_argo
        adpcm_dtk adpcm_ea adpcm_ea_maxis_xa adpcm_ea_r1 adpcm_ea_r2 adpcm_ea_r3 adpcm_ea_xas
        adpcm_ima_acorn adpcm_ima_alp adpcm_ima_amv adpcm_ima_apc adpcm_ima_apm
        adpcm_ima_cunning adpcm_ima_dat4 adpcm_ima_ea_eacs adpcm_ima_ea_sead adpcm_ima_iss
        adpcm_ima_moflex adpcm_ima_mtf adpcm_ima_rad adpcm_ima_smjpeg adpcm_ima_ssi adpcm_ima_ws
        adpcm_ima_xbox adpcm_mtaf adpcm_psx adpcm_thp adpcm_thp_le adpcm_vima adpcm_xa adpcm_xmd
        adpcm_zork agm amv anm apac aptx aptx_hd arbc argo aura aura2 avs bethsoftvid bfi
        binkaudio_dct binkaudio_rdft binkvideo bmv_audio bmv_video bonk c93 cbd2_dpcm cdtoons
        cdxl cpia derf_dpcm dfa dfpwm dsicinaudio dsicinvideo dxa eacmv eamad eatgq eatgv eatqi
        fastaudio flic frwu gdv gremlin_dpcm hca hcom hnm4video idcinvideo imm4 imm5
        interplay_dpcm interplayacm interplayvideo ipu jv kgv1 kmvc lead mdec misc4 mmvideo
        mobiclip motionpixels msp2 mv30 mvdv paf_audio paf_video pcm_sga pdv rl2 roq_dpcm
        roqvideo rtv1 sanm sdx2_dpcm simbiosis_imx smackaud smackvid smvjpeg sol_dpcm thp
        tiertexseqvideo truemotion2rt vmdaudio vmdvideo vqavideo vqc wady_dpcm wavarc ws_snd1
        xan_dpcm xan_wc3 xan_wc4 yop""",
}
"""Reason -> FFmpeg's names of the decoders of sound and video that are not used for it."""

"""FaceSieve on its fastest engine here."""

from answer import answer

from facesieve.detect import load_detector
from facesieve.models.store import Store
from facesieve.records import Photo, Source
from facesieve.settings import Settings

settings = Settings.load(threads=1)
detect = load_detector(settings, Store(settings))
answer(lambda pixels: len(detect([Photo(Source("peer"), "", pixels, "array")])))

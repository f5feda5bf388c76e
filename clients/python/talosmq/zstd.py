"""zstd frames by the system's libzstd. Debian's python3-zstd reads only frames that declare their size,
which most producers' do not. Importing it fails with OSError where the library is missing."""

import ctypes

_lib = ctypes.CDLL("libzstd.so.1")
_LEVEL = 3
_WINDOW_LOG_MAX = 27
_PARAMETER_WINDOW_LOG_MAX = 100  # ZSTD_d_windowLogMax


class _Buffer(ctypes.Structure):  # both ZSTD_inBuffer and ZSTD_outBuffer
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)]


def _declare(name, result, *arguments):
    function = getattr(_lib, name)
    function.restype = result
    function.argtypes = arguments
    return function


_compress_bound = _declare("ZSTD_compressBound", ctypes.c_size_t, ctypes.c_size_t)
_compress = _declare("ZSTD_compress", ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p,
                     ctypes.c_size_t, ctypes.c_int)
_is_error = _declare("ZSTD_isError", ctypes.c_uint, ctypes.c_size_t)
_error_name = _declare("ZSTD_getErrorName", ctypes.c_char_p, ctypes.c_size_t)
_create = _declare("ZSTD_createDCtx", ctypes.c_void_p)
_free = _declare("ZSTD_freeDCtx", ctypes.c_size_t, ctypes.c_void_p)
_set_parameter = _declare("ZSTD_DCtx_setParameter", ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
_inflate_some = _declare("ZSTD_decompressStream", ctypes.c_size_t, ctypes.c_void_p, ctypes.POINTER(_Buffer),
                         ctypes.POINTER(_Buffer))
_CHUNK_BYTES = _declare("ZSTD_DStreamOutSize", ctypes.c_size_t)()


def _checked(code):
    if _is_error(code):
        raise ValueError(_error_name(code).decode())
    return code


def compress(data):
    data = bytes(data)
    out = ctypes.create_string_buffer(_compress_bound(len(data)))
    size = _checked(_compress(out, len(out), data, len(data), _LEVEL))
    return out.raw[:size]


def inflate(data, bytes_max):
    """All frames of `data`; the output grows as it comes. OverflowError: more than bytes_max."""
    data = bytes(data)
    source = _Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
    chunk = ctypes.create_string_buffer(_CHUNK_BYTES)
    out = bytearray()
    context = _create()
    try:
        _checked(_set_parameter(context, _PARAMETER_WINDOW_LOG_MAX, _WINDOW_LOG_MAX))
        while True:
            target = _Buffer(ctypes.cast(chunk, ctypes.c_void_p), _CHUNK_BYTES, 0)
            expected = _checked(_inflate_some(context, ctypes.byref(target), ctypes.byref(source)))
            out += ctypes.string_at(chunk, target.position)
            if len(out) > bytes_max:
                raise OverflowError
            if source.position == source.size and (expected == 0 or target.position < target.size):
                break
    finally:
        _free(context)
    if expected != 0:
        raise ValueError("the stream is cut off")
    return bytes(out)

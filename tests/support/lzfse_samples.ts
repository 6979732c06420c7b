/**
 * What Apple's encoder has made of bytes that look like text: no program on every Debian does it.
 *
 * @module
 */

const WORDS = 48;
const STEP = 1103515245;

/** Bytes that look like text, the same ones on every machine and for ever. */
export function sampleContent(lengthBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  let state = 1;
  const next = (below: number): number => {
    state = Math.imul(state, STEP) + 12345 | 0;
    return (state >>> 16) % below;
  };
  for (let at = 0; at < lengthBytes;) {
    const word = Math.min(next(WORDS), next(WORDS));
    const length = 2 + word % 9;
    for (let index = 0; index < length && at < lengthBytes; index++) {
      bytes[at++] = 97 + (word * 7 + index * (word + 3)) % 26;
    }
    if (at < lengthBytes) bytes[at++] = next(40) === 0 ? next(256) : 32;
  }
  return bytes;
}

/** What `lzfse -encode` has made of {@link sampleContent}, in base64, by its length. */
export const LZFSE_SAMPLES: ReadonlyMap<number, string> = new Map([
  [
    5,
    "YnZ4LQUAAABjanF4ZWJ2eCQ=",
  ],
  [
    1024,
    "YnZ4bgAEAADJAQAA4CFjanF4ZSBobCBvdHlkIHF6aXJhanNiIGd2a3pvIHhocmJsdmZweiB1bGN0a2JzIHdyOCTg" +
    "IXNmcyB0dnh6YmRmaGogZHp2IHJwbmxqIG1ub3BxcnN0IGJ0bGR2bmZ4IGpyemhweGYQMgBo5iB5eHd2dTgg9xB1" +
    "6yBlcGFsd2hzZG96EC8IBBiN5m5kdGp6cDCUyCwgYWT4IJbmIHZiaG50EDaIrmx46mFkZ2ptcHN2eWIodjg18TBM" +
    "MLMInupwamR4cmxmenRuOQHxmDlsePYo0QgvIJgwzTkT5HpuYnABW2gjcBAQGXEg8hANUCRsCAQgDzi08TCi6Wli" +
    "dW5nenNsZRjVMIIwuimi5GtoZWIocQkHODkwoiEJGDIJ/BkrMEsx4jj/AHLqbHhqdmh0ZnJkcDghCfUY0ThnEOY5" +
    "BThE8jDXOL73CP4oFTg8MGg57PIIqzjL9iDwIUAQDhCcEtUalghiWAFmEAwQpzjU8SA8Gmw6A/uIUHdyOZMgdSj6" +
    "ODXymM53cvEooQg5EHIIljqX9BhyKP05SAgzCC4IBArWOBvxmm9hZP6YnGx49CBsIZ0QDjif8QkA52toZWIgZXAG" +
    "AAAAAAAAAGJ2eCQ=",
  ],
  [
    12288,
    "YnZ4MgAwAAA4AqAVAD4FQKj49WTXAwoAtgAAAD+g4AFvQRtVVQQQAffeBwd7NrGCotGONTr3wcXByT67Ozq5PLm5" +
    "uLlZa47R0ZHRWAEAAAAgkCQABAAgBAjAawAEAAAICQAAwIAAAAAhAABAAp/BB7C+hP0crF9hnV48D+sdeAVegf0a" +
    "fA8/wXoG3oFn4A/4EwAIAAEAQgAIAAAABAACQAIAAACBJAAAAABAgEGAAAABAgAAQAAAAAAQGcyrjRoBdcthg6kz" +
    "Y1/geEmK2eS270L7H2HkTGsu5DPv1fdiLbJi5FjfGZFiRi+UwoRiRzUZq9EnBuMRdPZoYkKwOQFUdRHnVrKdV6DH" +
    "Oby5gl3Mwh+ma72TYAdNi8dGwlmsFIMwOEOzAdmOhyt33fv2fgN6L7pyfFElEFb2ERXSWmDmKRNsXTlBF7HyiRWA" +
    "yG01HaWApuYq1q7pz2fmqQMrOj14yU3rkDPRohNCNe1V8fNvyDHzPlVQMgzuGlrLt4dOPFuJRWvm68HWTHg9RMzR" +
    "eNXHwLit5qs9XdJ9AYDhLIZijCeGCUloaQ2XqEHO4qWvYvayFVfu+W6o63apzy+a5Mdy27wJoYOYqOSh80CeHvc4" +
    "3JWG0X0zolSi7K/DlNonFezu6j01ufZ+0CjFrHQGu3HdcGGXeLH3mSuMZcqJjXsDq6sZraDYLgpqpa+NWBzLRcUZ" +
    "AAAAAAAAAAAAAMAGkc5HwNirVFpZIIHnu0wee12umUDu/8Q7ylV6qebjXlITjw89BWFRlbp8w88v9vrJVpH3uuN/" +
    "LM/Okb6JvNNB3EDBaXTLqjGFOAM3o6XfEEB53qgBSdnzCiEjdxr9xdK9zKLFp80p4hJ9nROxbOIEEVdP1w5E/dR0" +
    "cuEGCxWlVua2SNx4f8fGqU5z+YLQZzZFisCozItZe5weV8BpQKqtiCMmI1JdUcGXWocs12CbJQDL/bCiJcWW03Qw" +
    "cRfjuzh/HMveN7LBZjt6KuUsrAxnyTOCHo+fh5NfpiViW2XIx2q0kHWb8wx1EgB9YJd+J4TyG8s4THrMyMbUUiM2" +
    "E5U8rSE7cEoxN7mLXv0VUZr0YCQfjXG2irvNmd+9rWNAer/QbyaC9ExiNhf2OzweZY43D4pd4aW9vvyKDzq4RD1D" +
    "HRB3GpDYhTcCGLqWqNd0E/mr/MMW7GLIQx2lLrB3pGTxyLC94imliarIY9klUK/wZC/5gM9py2rDIQWIcDh55ELD" +
    "nYPCOUG2aIl7FrgMe/acDf6q4+QNyQ/l9gV6iX+4AipgVfrkiFJa7KLaHccQsRDI8LnQDKfqKwZkoJLZ8qu/Bwq2" +
    "FkPNRG9BtJ2EP4fDf3z58c5zGcRUeTgA0kI7UZ+ZKj7nv7026Cw4/hyith0hjQ4Ho2V2MyFDl6Zi0EPrjl2Rkrad" +
    "mKpo04ezj9uONLHdZx+DaQQS+jQEPvtjah2UOPD038zkvpstmGagdypb/AlgS6cgQJGc6/rVApNczGd0xO0BCOYZ" +
    "JnQobrqvOc164CUIEClCAjDlzTcMBoZCRQpkOWQB6HuIEn+6B3/gSicnfpCz2JTv7MqhxhlVXrHxS619ej9FaRd1" +
    "ndQZVc1S2zgu+KH425dDDjz5/GwtzYouJaLbZFnyee6isK7Z8V/1UUfqeoK7AMmWWaWqzBi+/gSkTr5YBewXMSp2" +
    "3xAYwEBeIfANIk8rRhj+RlgkbjI29KIw3idlDGJXbONTiix35dZCs7iXXlcAHQRhJ9zdKWlgjWHfZxxcw78NaAvd" +
    "jXNkoak/VVftNMaTl77ph6qoktzVt8tldNahAw+olRaHY7egpu+QOguIRS9FUc4x5sooUHsP+5+FRHd/jvx0lVaV" +
    "V1nIvrTV+SHNMQu9Zg7hQkHTcFTCcV2AEusCbqhhtKi/tYdRRLn2SuAkgsX1FwObTBPZ+4qf3oeTZ1xpqNA4UNMl" +
    "hILTE3whHK1a3h9I/nUOA8OH4JMIG2Lt0wC6c9yYi+g++tyhwtz99nQAU/VGiutpN7oPMzIRoMUeZ1dfQSVYpVqg" +
    "5FmklQIzc62x4m/sVxuNGpJJLZ3/u4qknFr5WmhjN789pLSeSmiGERIJm+l5b/zUArFgs2ZhEq7asN9wkRHROQHC" +
    "d21+9VdYFotAjYXpN+r4/wc2OGkNadaBCIraTfnuZmNPJwIMWfH2f7CmQiGJSC2mSEJ+GnJSQVmDbDibs0PKhtoH" +
    "0KccRHn4qGi9Y5vRAb5qNf1BkAhWZzXfIhiRfZF66AqKsQ3v7wkRg7RMYDFYbjwfLRcL2latZ8qtXdOCowyOyK3q" +
    "+XrT5MwNXcVU3pig7j8cmagiJXOwvYDGYpqmgxZsccfTyKdNhjhewEWpg04Jn1xLHVOpOVccptHAuhZKRvgHuiPT" +
    "BGw8LuNm8iLBRmMDj/gzlp/UrDpA8y2ib5iWhjdSiEWOTZpdOPfKbK4LRmfU/C1rO6d6GJ9R8WT/DbqwjWQTqBkc" +
    "SZa1Cnc3cW4e0mwPkgeX52gtB/bgu22eqq62EabLjc4xrdowdoeUrS9sf4e6XSpWaohw/J+SOXVE5/C4CcVJNk7T" +
    "WPE32FsB9Rw3o7Yovvg3FgRZ7tFxDTiixGYjXX3zLGmF2PbftYrEgJcI+WFvlfZFglrRtymnS/lkAIlng98arRdi" +
    "/KZYI2EhEYjXAGHYJeJWisw00oIB3IjX7cRdpiCnZaiQXGu9Q9v8iLnkWdeIypP6yu6Gi5pq2F9gEuppUSqTrU7b" +
    "xyZlCeY6RDgnby8gRLgqMkt7JaANOIYeUMqc8+P6y/ZRN8PLY8jy9M3s4R2w74XaKkAWb8yp2Tz+q3U9oHMEdGgG" +
    "Gp6Wjm5UBEKc73oTGK0SyyA2X3DvPI0UQjQIqjn7pWuq8/QCYQn0PMxuOUjXG2IyWkfdQnaJbyXybqX1ev1UQYJi" +
    "0uQiEZ/4haG/uYKlvf4ImUSUWAbMkTbO+AFeRuq1yytWEcKZNWSYDex4ygttCiWaFnkK8pA0O+7jVnz8TTWMN3Dl" +
    "pxAg8IqPJHWrI8ZJsUuMLLewT4qsXCQQ6/dUJvpyFu5jUCDyReRgC9en6iKkx7uQwW83rFszQXJNEfZsWzpN71Lu" +
    "svE1IF9IzaGX94WDpf39j4gF54AbmQyRNU82IzAuaMfip4ymLyjOGqebjVMD+KmHwyrrsMZZlPD45YswpAXHZb0z" +
    "OxtQy711ykD2ClbCbsIMyIBg1T3FVX0aPd0kUF9FKFo5j82xBJHAIN2Tyf/FBri6oztX0Jo7K4W250VQtRn8yt7x" +
    "BnuwFZ1qpKQcNoROjWrdQqlqKy9GDNUZYVBNWr4Yn3VZcp0PhnefEyA8lPmasfAIsjpAS0at4Owu/bmWGrGPFtks" +
    "evysttukdLcSLevLjrwXIH3i3TAdQzZsVpxs2Q/gEp3usMoDsaLMlAWO+lfugo7ThyOgU28WpKW1hw27CO5ZzGJo" +
    "Cl/ER5TmkKhnxFPVhIWelrWwev5TgvUhI0PDMTcMSNYuUEl/w4eGnE5LcMJf5BWAEr8K2hnpZStZNG/zrPjJBXWh" +
    "DC52ns9GUo1B4jJxDluDRB5cDHustDAh8oIQB0TAGpL2Jl9qdJvLzHAQz3AdlgdJKgMRTecseaIP4+OygY8IOrZE" +
    "MQLOFc4O8gIHs7v1wQYLCEa2VMKicZOfblsQnOBC2M/0VIKD2ygURWUFNa39pmUDu4DaUYiYVCeqNxI9v4vIgCu2" +
    "w6B1IAgyC15yi54WgLMrWEGo2qINTGgoC4ZTLha/jru90fzVdtxOR8Ax1S03+SLKj+KvHZLjRgdI/F3mVnOaOg99" +
    "cZG6eWS9ttysSKqWQQKOYYSikRf15zlKiXmtdMauh8FjLGU8uW4rFSaUEE86o9qhlB43cVlbZIK0l+2Ysn/Q3u9/" +
    "YSAoyvp7Pc4S/uNONkIVKAGxmRuqOc21dqUClAkOHNZoA02n3GRKcTWLOC35do6+gLSKHF4v3DbYxKRlAioKIwul" +
    "5pJFAsK2I3SUx+sMgrXHjUCqyCAmxCaiNhIhdb79q4D0Nj2omKXv+KUNn2qMxqQpQi3TZpNPmdWsCww6RvA46UEj" +
    "1pXN1SFg/IbIlReL+DNU3WLlYk0W9roZOBcumlzJ5rhKYr0DGw6T6WjFy62TNJsMZN11h1D9AWJ2eCQ=",
  ],
]);

/** The bytes of one of {@link LZFSE_SAMPLES}. */
export function lzfseSample(lengthBytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(LZFSE_SAMPLES.get(lengthBytes) ?? "");
}

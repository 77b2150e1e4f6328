using Microsoft.Net.Http.Headers;

namespace AspireStreaming.StreamApi.Compression;

/// <summary>How an answer is compressed.</summary>
internal enum ContentCoding
{
    /// <summary>Not at all.</summary>
    Identity,

    /// <summary><c>gzip</c>.</summary>
    Gzip,

    /// <summary><c>br</c>.</summary>
    Brotli,
}

/// <summary>What a client accepts.</summary>
internal static class ContentCodings
{
    /// <summary>The coding that a client likes best, ours where it has no preference.</summary>
    public static ContentCoding Choose(HttpRequest request, ContentCoding preferred)
    {
        var accept = request.Headers.AcceptEncoding;
        if (accept.Count == 0 || !StringWithQualityHeaderValue.TryParseList(accept, out var codings))
        {
            return ContentCoding.Identity;
        }

        double? any = null, gzip = null, brotli = null, identity = null;
        foreach (var coding in codings)
        {
            var quality = coding.Quality ?? 1;
            switch (coding.Value.Value?.ToUpperInvariant())
            {
                case "BR":
                    brotli = quality;
                    break;
                case "GZIP" or "X-GZIP":
                    gzip = quality;
                    break;
                case "IDENTITY":
                    identity = quality;
                    break;
                case "*":
                    any = quality;
                    break;
                default:
                    break;
            }
        }

        brotli ??= any ?? 0;
        gzip ??= any ?? 0;
        var best = Math.Max(brotli.Value, gzip.Value);
        return best <= 0 || identity > best ? ContentCoding.Identity
            : brotli == gzip ? preferred
            : brotli > gzip ? ContentCoding.Brotli
            : ContentCoding.Gzip;
    }

    /// <summary>As <c>Content-Encoding</c> names it.</summary>
    public static string NameOf(ContentCoding coding) => coding == ContentCoding.Brotli ? "br" : "gzip";
}

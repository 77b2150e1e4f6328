using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>What the caller shows: a token or an API key.</summary>
internal readonly record struct CallerCredential(bool IsApiKey, string Value)
{
    public const string ApiKeyScheme = "ApiKey";
    public const string BearerScheme = "Bearer";
    public const string ApiKeyHeader = "X-Api-Key";
    public const string Cookie = "aspirestreaming";
    public const string QueryParameter = "access_token";

    /// <summary>
    /// The request's credential, null if it has none: a header, else the query of a GET (EventSource and WebSocket cannot set
    /// headers), else the cookie.
    /// </summary>
    public static CallerCredential? Of(HttpRequest request, IList<string> cookieOrigins)
    {
        if (request.Headers.TryGetValue(ApiKeyHeader, out var key) && key is [{ Length: > 0 } only])
        {
            return new CallerCredential(true, only);
        }

        if (request.Headers.Authorization is [{ } header])
        {
            var space = header.IndexOf(' ', StringComparison.Ordinal);
            var (scheme, value) = space < 0 ? (header, "") : (header[..space], header[(space + 1)..].Trim());
            if (scheme.Equals(BearerScheme, StringComparison.OrdinalIgnoreCase))
            {
                return new CallerCredential(false, value);
            }

            return scheme.Equals(ApiKeyScheme, StringComparison.OrdinalIgnoreCase) ? new CallerCredential(true, value) : null;
        }

        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
        {
            // Taken out of the URL before anything could log it; still there on a server that was not wrapped.
            var token = request.HttpContext.Features.Get<AccessTokenFeature>()?.Token ?? request.Query[QueryParameter].ToString();
            if (token.Length > 0)
            {
                return new CallerCredential(false, token);
            }
        }

        return request.Cookies[Cookie] is { Length: > 0 } cookie && IsOwnSite(request, cookieOrigins)
            ? new CallerCredential(false, cookie)
            : null;
    }

    /// <summary>
    /// Whether the page that made the request is the service's own or one that was named: browsers send the cookie for other sites'
    /// pages too, with WebSockets whatever its SameSite says in old ones.
    /// </summary>
    private static bool IsOwnSite(HttpRequest request, IList<string> cookieOrigins)
    {
        var origin = request.Headers.Origin;
        if (StringValues.IsNullOrEmpty(origin))
        {
            // Browsers leave it out of reads only, and those of other sites they mark.
            return !request.Headers.TryGetValue("Sec-Fetch-Site", out var site) || site != "cross-site" || IsNavigation(request);
        }

        // TLS may end in front of the service, so that the schemes differ.
        return (Uri.TryCreate(origin.ToString(), UriKind.Absolute, out var url)
                && url.Authority.Equals(request.Headers[HeaderNames.Host].ToString(), StringComparison.OrdinalIgnoreCase))
            || cookieOrigins.Any(allowed => allowed.TrimEnd('/').Equals(origin.ToString(), StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>A link from elsewhere to a page here.</summary>
    private static bool IsNavigation(HttpRequest request) => request.Headers["Sec-Fetch-Mode"] == "navigate";
}

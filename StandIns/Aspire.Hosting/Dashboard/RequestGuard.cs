using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// The page needs no login because only this machine reaches it. But a browser on this machine also runs other people's pages:
/// they must not send commands, and a foreign name that resolves to loopback must not read anything.
/// </summary>
internal static class RequestGuard
{
    /// <summary>A page of another origin can send this only after a preflight, which nobody answers.</summary>
    public const string CommandHeader = "X-Dashboard-Request";

    /// <summary>Why the request is refused; null if it isn't.</summary>
    public static string? Refusal(HttpRequest request)
    {
        if (!IsLoopback(request.Host.Host))
        {
            return "The dashboard answers only to localhost.";
        }

        if (!StringValues.IsNullOrEmpty(request.Headers.Origin)
            && !string.Equals(request.Headers.Origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase))
        {
            return "Requests of other origins are refused.";
        }

        var isApi = request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase);
        if (isApi && request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site")
        {
            return "Requests of other sites are refused.";
        }

        return HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || request.Headers.ContainsKey(CommandHeader)
            ? null
            : $"The header {CommandHeader} is missing.";
    }

    public static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}

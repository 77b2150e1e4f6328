using AspireStreaming.Streaming;
using Microsoft.AspNetCore.StaticFiles;

namespace AspireStreaming.StreamApi.Page;

/// <summary>The page: files of <c>wwwroot</c>, and what it must know of this installation.</summary>
internal static class PageEndpoints
{
    private const string DefaultPublisherUrl = "http://localhost:5101";

    /// <summary>Serves the files; unchanged ones are answered 304.</summary>
    public static void UsePage(this WebApplication app)
    {
        var publisher = PublisherUrl(app.Configuration);
        var policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            + $"connect-src 'self' {publisher.GetLeftPart(UriPartial.Authority)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        app.UseDefaultFiles();
        app.UseStaticFiles(new StaticFileOptions { OnPrepareResponse = context => Prepare(context, policy) });
        app.MapGet("/config.json", (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "no-cache";
            return TypedResults.Json(new PageConfig(publisher.ToString().TrimEnd('/')), StreamApiJson.Default.PageConfig);
        }).ExcludeFromDescription();
    }

    private static void Prepare(StaticFileResponseContext context, string policy)
    {
        var headers = context.Context.Response.Headers;

        // The names carry no version, so that a copy is asked for again each time; the answer is mostly 304.
        headers.CacheControl = "no-cache";
        headers.ContentSecurityPolicy = policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
    }

    /// <summary>Where browsers reach the Publisher API: as configured for the page, else as the host gave it to this service.</summary>
    private static Uri PublisherUrl(IConfiguration configuration)
    {
        string?[] candidates =
        [
            configuration["Page:PublisherUrl"],
            configuration[$"services:{ResourceNames.PublisherApi}:http:0"],
            configuration["PUBLISHER_API_HTTP"],
        ];
        return candidates
            .Select(text => Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url : null)
            .FirstOrDefault(url => url is not null) ?? new Uri(DefaultPublisherUrl);
    }
}

/// <summary>What the page must know.</summary>
/// <param name="PublisherUrl">Where browsers reach the Publisher API.</param>
internal sealed record PageConfig(string PublisherUrl);

using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>
/// Takes <c>access_token</c> out of the query string before the host sees the request: its request logs, spans and metrics begin
/// before the first middleware, so a token could not be kept out of them later.
/// </summary>
internal sealed class AccessTokenServer(IServer server) : IServer
{
    private const string Marker = CallerCredential.QueryParameter + "=";

    public IFeatureCollection Features => server.Features;

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull => server.StartAsync(new Application<TContext>(application), cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => server.StopAsync(cancellationToken);

    public void Dispose() => server.Dispose();

    private static void TakeToken(IFeatureCollection features)
    {
        if (features.Get<IHttpRequestFeature>() is not { } request || !MayHaveToken(request.QueryString))
        {
            return;
        }

        string? token = null;
        var rest = QueryString.Empty;
        foreach (var pair in new QueryStringEnumerable(request.QueryString))
        {
            if (pair.DecodeName().Span.SequenceEqual(CallerCredential.QueryParameter))
            {
                token ??= pair.DecodeValue().ToString();
            }
            else
            {
                rest += new QueryString($"?{pair.EncodedName}={pair.EncodedValue}");
            }
        }

        if (token is not null)
        {
            request.QueryString = rest.Value ?? "";
            request.RawTarget = request.RawTarget.Split('?')[0] + request.QueryString;
            features.Set(new AccessTokenFeature(token));
        }
    }

    // An encoded name would be decoded by the enumeration, so only what has neither is passed over.
    private static bool MayHaveToken(string query) => query.Length > 0
        && (query.Contains(Marker, StringComparison.Ordinal) || query.Contains('%', StringComparison.Ordinal));

    private sealed class Application<TContext>(IHttpApplication<TContext> application) : IHttpApplication<TContext>
        where TContext : notnull
    {
        public TContext CreateContext(IFeatureCollection contextFeatures)
        {
            TakeToken(contextFeatures);
            return application.CreateContext(contextFeatures);
        }

        public Task ProcessRequestAsync(TContext context) => application.ProcessRequestAsync(context);

        public void DisposeContext(TContext context, Exception? exception) => application.DisposeContext(context, exception);
    }
}

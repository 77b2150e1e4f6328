using System.Text;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client.Following;

/// <summary>Server-sent events: one stream, or several on one connection.</summary>
internal sealed class SseTransport(StreamApiClient client) : IEventTransport
{
    public Uri Url => client.Service.Url;

    public string Name => "sse";

    public async Task<IEventConnection?> OpenAsync(FollowRequest request, string? resumeToken, CancellationToken cancellationToken)
    {
        var response = await client.OpenEventsAsync(PathOf(request, first: resumeToken is null), resumeToken, cancellationToken);
        if (response is null)
        {
            return null;
        }

        try
        {
            var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            return new SseConnection(response, new SseReader(body, client.Service.Options.IdleTimeout, client.Service.Time), request);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>A cursor of several streams is for the list that it was made for, so the URL stays the same with it.</summary>
    private static string PathOf(FollowRequest request, bool first)
    {
        var path = new StringBuilder();
        var separator = '?';
        if (request.IsMultiple)
        {
            path.Append("events");
            foreach (var stream in request.Streams)
            {
                var from = stream.From == default ? request.Options.From ?? default : stream.From;
                Add("stream", from == default ? stream.Stream : $"{stream.Stream}@{from}");
            }
        }
        else
        {
            path.Append("streams/").Append(request.Stream).Append("/events");
            if (first && request.Options.From is { } from)
            {
                Add("from", from.ToString());
            }
        }

        if (request.IsFiltered)
        {
            Add("types", string.Join(',', request.Options.Types));
        }

        if (request.Policy is { } policy)
        {
            Add("policy", policy);
            if (request.Options.Lag is { } lag)
            {
                Add("lag", lag.ToString(provider: null));
            }
        }

        return path.ToString();

        void Add(string name, string value)
        {
            path.Append(separator).Append(name).Append('=').Append(Uri.EscapeDataString(value));
            separator = '&';
        }
    }
}

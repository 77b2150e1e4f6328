using Microsoft.Net.Http.Headers;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>What a session's client identified itself with; publishes go on to the Publisher API in its name.</summary>
internal sealed class CallerCredentials
{
    private const string ApiKeyHeader = "X-Api-Key";
    private const string TokenCookie = "aspirestreaming";
    private const string TokenParameter = "access_token";

    private readonly List<KeyValuePair<string, string>> _headers = [];

    private CallerCredentials()
    {
    }

    /// <summary>The credentials of a request, wherever it carries them.</summary>
    public static CallerCredentials Of(HttpRequest request)
    {
        var credentials = new CallerCredentials();
        if (request.Headers.Authorization is [{ Length: > 0 } authorization, ..])
        {
            credentials.Add(HeaderNames.Authorization, authorization);
        }
        else if (request.Query[TokenParameter] is [{ Length: > 0 } token, ..])
        {
            credentials.Add(HeaderNames.Authorization, $"Bearer {token}");
        }
        else if (request.Cookies[TokenCookie] is { Length: > 0 } cookie)
        {
            credentials.Add(HeaderNames.Authorization, $"Bearer {cookie}");
        }

        if (request.Headers[ApiKeyHeader] is [{ Length: > 0 } key, ..])
        {
            credentials.Add(ApiKeyHeader, key);
        }

        return credentials;
    }

    /// <summary>Puts them on a request.</summary>
    public void Apply(HttpRequestMessage request)
    {
        foreach (var (name, value) in _headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
    }

    private void Add(string name, string value) => _headers.Add(new KeyValuePair<string, string>(name, value));
}

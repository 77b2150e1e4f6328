using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>Reads the key set from its file or URL, bounded in size and time.</summary>
internal sealed class KeySetReader(IHttpClientFactory clients, IOptions<AuthOptions> options, TimeProvider time)
{
    /// <summary>The name of its HTTP client.</summary>
    public const string ClientName = "jwks";

    /// <summary>Largest document.</summary>
    public const int MaxBytes = 1 << 20;

    private readonly JwtOptions _options = options.Value.Jwt;

    /// <summary>Reads it once.</summary>
    /// <exception cref="Exception">It could not be read.</exception>
    public async Task<KeySet> ReadAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_options.JwksTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return KeySet.Parse(await ReadTextAsync(_options.Jwks!, either.Token));
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"It was not there within {_options.JwksTimeout}.", exception);
        }
    }

    private async Task<string> ReadTextAsync(string source, CancellationToken cancellationToken)
    {
        if (Uri.TryCreate(source, UriKind.Absolute, out var url) && !url.IsFile)
        {
            using var client = clients.CreateClient(ClientName);
            client.MaxResponseContentBufferSize = MaxBytes;
            return await client.GetStringAsync(url, cancellationToken);
        }

        var file = new FileInfo(url?.LocalPath ?? source);
        return file.Length <= MaxBytes
            ? await File.ReadAllTextAsync(file.FullName, cancellationToken)
            : throw new FormatException($"It has more than {MaxBytes} bytes.");
    }
}

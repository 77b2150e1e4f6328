namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>
/// What the caller may do, from its token or API key; a request's is <c>HttpContext.GetStreamAccess()</c>. An admin may do everything.
/// </summary>
public sealed class StreamAccess
{
    /// <summary>The value of the claim <c>priority</c> that gives a share in the reserve of connections.</summary>
    public const string HighPriority = "high";

    // What timers can do; nothing stays connected that long.
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(45);

    private readonly string[] _publish;
    private readonly string[] _subscribe;

    internal StreamAccess(
        string? subject,
        IEnumerable<string> publish,
        IEnumerable<string> subscribe,
        bool isAdmin = false,
        bool hasHighPriority = false,
        DateTimeOffset? expiresAt = null,
        string? authorization = null)
    {
        Subject = subject;
        _publish = [.. publish];
        _subscribe = [.. subscribe];
        IsAdmin = isAdmin;
        HasHighPriority = hasHighPriority;
        ExpiresAt = expiresAt;
        Authorization = authorization;
    }

    /// <summary>Everything: the caller of a service that needs no authentication.</summary>
    public static StreamAccess Everything { get; } = new(null, ["*"], ["*"], isAdmin: true);

    /// <summary>Nothing: a caller that has not said who it is where the service needs to know.</summary>
    public static StreamAccess Nothing { get; } = new(null, [], []);

    /// <summary>
    /// Who the caller is: <c>jwt:</c> with the token's issuer and subject, or <c>key:</c> with the API key's name. The same with each
    /// token of the caller; null where the service needs no authentication.
    /// </summary>
    public string? Subject { get; }

    /// <summary>Whether the caller may do everything.</summary>
    public bool IsAdmin { get; }

    /// <summary>Whether the caller has a share in the reserve of connections.</summary>
    public bool HasHighPriority { get; }

    /// <summary>From when on the token is not valid any more, with the allowed difference of clocks; null = for ever.</summary>
    public DateTimeOffset? ExpiresAt { get; }

    /// <summary>
    /// The caller's credential as the value of an <c>Authorization</c> header, however it came, to forward a request in its name; null
    /// if there is none. Never to be logged.
    /// </summary>
    public string? Authorization { get; }

    /// <summary>Whether the caller may publish to the stream, or delete it from the hot log.</summary>
    public bool CanPublish(string stream) => IsAdmin || Matches(_publish, stream);

    /// <summary>Whether the caller may read the stream.</summary>
    public bool CanSubscribe(string stream) => IsAdmin || Matches(_subscribe, stream);

    /// <summary>Starts a source that is cancelled when the token expires; the caller disposes it.</summary>
    public CancellationTokenSource StartExpiry(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        if (ExpiresAt is not { } expiry || expiry - time.GetUtcNow() is var left && left > LongestTimer)
        {
            return new CancellationTokenSource();
        }

        return new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
    }

    /// <summary>Who it is, without the credential.</summary>
    public override string ToString() => Subject ?? "anonymous";

    private static bool Matches(string[] patterns, string stream)
    {
        foreach (var pattern in patterns)
        {
            if (StreamPattern.Matches(pattern, stream))
            {
                return true;
            }
        }

        return false;
    }
}

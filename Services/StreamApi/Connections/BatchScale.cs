namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// How many times the usual bytes a connection's batch may hold. Each send costs both sides more than the bytes in it, so a client that
/// takes everything at once is sent more in one go; one that does not keeps no more memory than any other.
/// </summary>
internal struct BatchScale()
{
    private const int Max = 4;

    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(250);

    /// <summary>The factor.</summary>
    public int Value { get; private set; } = 1;

    /// <summary>A batch was sent.</summary>
    /// <param name="took">How long it took.</param>
    public void Sent(TimeSpan took) => Value = took > Quick ? 1 : Math.Min(Value * 2, Max);
}

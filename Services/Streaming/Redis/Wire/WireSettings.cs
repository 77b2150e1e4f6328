using System.Net;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>Of the client's configuration, what a connection of our own needs.</summary>
/// <param name="EndPoint">Where Redis is.</param>
/// <param name="User">Null for the default user.</param>
/// <param name="Password">Null where none is demanded.</param>
/// <param name="ClientName">How Redis lists the connection.</param>
/// <param name="Database">Number of the database.</param>
internal sealed record WireSettings(EndPoint EndPoint, string? User, string? Password, string ClientName, int Database)
{
    /// <summary>The same connection as the client makes to an endpoint.</summary>
    /// <param name="options">The client's configuration.</param>
    /// <param name="endPoint">Where to.</param>
    /// <param name="purpose">Added to the client's name, so that the connections can be told apart.</param>
    /// <returns>Null for what only the client can do: TLS with its checks of certificates, proxies, renamed commands.</returns>
    public static WireSettings? From(ConfigurationOptions options, EndPoint endPoint, string purpose) =>
        options.Ssl || options.Proxy != Proxy.None || options.CommandMap != CommandMap.Default
            ? null
            : new WireSettings(
                endPoint,
                UserOf(options),
                string.IsNullOrEmpty(options.Password) ? null : options.Password,
                (string.IsNullOrEmpty(options.ClientName) ? Environment.MachineName : options.ClientName).Replace(' ', '-') + "-" + purpose,
                options.DefaultDatabase ?? 0);

    /// <summary>Newer versions of the client know users; their property is not in older ones, their text is in both.</summary>
    private static string? UserOf(ConfigurationOptions options)
    {
        const string Key = "user=";
        var part = options.ToString(includePassword: false).Split(',').FirstOrDefault(part => part.StartsWith(Key, StringComparison.Ordinal));
        return part is null || part.Length == Key.Length ? null : part[Key.Length..];
    }
}

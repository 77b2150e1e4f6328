using System.Text.Json;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>A message of the server, the same for both transports.</summary>
/// <param name="Type">subscribed, event, control, published, error or pong.</param>
/// <param name="Sub">What it is about; empty for the session.</param>
/// <param name="Body">Its members, as they are called on the WebSocket.</param>
internal sealed record SessionMessage(string Type, string Sub, JsonElement Body)
{
    public string? Name => Text("name");

    public int Status => Body.GetProperty("status").GetInt32();

    public string Position => Type == "event" ? Body.GetProperty("event").GetProperty("position").GetString()! : Text("position")!;

    /// <summary>The data of a delivered event, as JSON text.</summary>
    public string Data => Body.GetProperty("event").GetProperty("data").GetRawText();

    public string? Text(string member) => Body.TryGetProperty(member, out var value) ? value.GetString() : null;

    public override string ToString() => $"{Type} {Sub} {Body}";
}

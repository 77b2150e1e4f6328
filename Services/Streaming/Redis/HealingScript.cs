using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace AspireStreaming.Streaming.Redis;

/// <summary>The script that puts a partition's staged events back, in one partition epoch; fenced like an append, because it gives positions.</summary>
internal sealed class HealingScript
{
    private static readonly string Body = FencedScripts.Load("heal_stream.lua");

    public HealingScript(int partition, long epoch)
    {
        Text = string.Create(CultureInfo.InvariantCulture, $"#!lua\nlocal EPOCH, PARTITION = '{epoch}', '{partition}'\n") + Body;
#pragma warning disable CA5350 // SHA-1 is how Redis names scripts, not a protection.
        Hash = SHA1.HashData(Encoding.UTF8.GetBytes(Text));
#pragma warning restore CA5350
    }

    public string Text { get; }

    public byte[] Hash { get; }
}

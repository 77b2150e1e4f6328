using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Servers;

public sealed class DataFoldersTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _folder = DataFolders.Temporary("data-folders", null);

    public void Dispose() => DataFolders.Delete(_folder);

    [Fact]
    public void ForVolume_is_beside_the_AppHost_private_and_the_same_each_time()
    {
        var appHost = Directory.CreateDirectory(Path.Combine(_folder, "AppHost")).FullName;

        var folder = DataFolders.ForVolume(appHost, "redis-data", null);

        Assert.Equal(Path.Combine(_folder, ".data", "redis-data"), folder);
        Assert.Equal(Private, File.GetUnixFileMode(folder));
        Assert.Equal(folder, DataFolders.ForVolume(appHost, "redis-data", null));
    }

    [Fact]
    public void ForVolume_that_the_servers_user_cannot_reach_is_elsewhere_and_says_so()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root runs servers as another user.");
        var appHost = Directory.CreateDirectory(Path.Combine(_folder, "AppHost")).FullName;
        var said = new List<string>();

        var folder = DataFolders.ForVolume(appHost, "postgres-data", "nobody", said.Add);
        try
        {
            Assert.StartsWith("/var/tmp/", folder);
            Assert.Contains(Path.GetDirectoryName(folder)!, Assert.Single(said));
            Assert.True(SystemUser.Find("nobody")!.CanEnter(folder));
            Assert.Equal(Private, File.GetUnixFileMode(folder));
            Assert.Equal(folder, DataFolders.ForVolume(appHost, "postgres-data", "nobody"));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(folder)!, recursive: true);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData(".hidden")]
    public void ForVolume_refuses_names_that_lead_elsewhere(string name) =>
        Assert.Throws<ArgumentException>(() => DataFolders.ForVolume(_folder, name, null));

    [Fact]
    public void Temporary_is_private_and_gone_after_Delete()
    {
        var folder = DataFolders.Temporary("some", null);

        Assert.Equal(Private, File.GetUnixFileMode(folder));
        Assert.True(DataFolders.IsTemporary(folder));
        File.WriteAllText(Path.Combine(folder, "file"), "content");

        DataFolders.Delete(folder);

        Assert.False(Directory.Exists(folder));
        Assert.False(DataFolders.IsTemporary(folder));
    }
}

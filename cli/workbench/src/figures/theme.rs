//! Colours of figures. Series differ in any kind of colour blindness (Okabe and Ito 2008), and in lightness or line.

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark marks on white.
    #[default]
    Light,
    /// Light marks on near black.
    Dark,
}

/// What a mark is about, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The spectrum.
    Spectrum,
    /// Single points.
    Point,
    /// The fitted law.
    Fit,
    /// The empirical density of the tail.
    Empirical,
    /// Where the tail begins.
    Xmin,
    /// Where it ends.
    Xmax,
    /// The edge of the bulk.
    Edge,
    /// Eigenvalues beyond it.
    Spike,
    /// Weights in random order.
    Random,
    /// What lies below xmin.
    Bulk,
    /// What lies above.
    Tail,
    /// The rule of detX.
    Detx,
}

/// Red, green, blue.
pub type Rgb = (u8, u8, u8);

impl Theme {
    /// What everything is drawn on.
    pub fn back(self) -> Rgb {
        self.pick((255, 255, 255), (20, 23, 27))
    }

    /// Titles and labels.
    pub fn ink(self) -> Rgb {
        self.pick((26, 29, 33), (232, 234, 237))
    }

    /// Numbers at ticks, and the axes.
    pub fn dim(self) -> Rgb {
        self.pick((85, 93, 102), (165, 173, 184))
    }

    /// Lines at labelled ticks.
    pub fn grid(self) -> Rgb {
        self.pick((222, 226, 231), (50, 57, 65))
    }

    /// Lines between them.
    pub fn faint(self) -> Rgb {
        self.pick((242, 244, 246), (31, 36, 42))
    }

    /// A mark.
    pub fn of(self, role: Role) -> Rgb {
        match role {
            Role::Spectrum | Role::Bulk => self.pick((127, 192, 234), (61, 134, 184)),
            Role::Point => self.pick((0, 114, 178), (86, 180, 233)),
            Role::Fit => self.pick((213, 94, 0), (255, 133, 82)),
            Role::Empirical => self.pick((138, 61, 0), (255, 199, 173)),
            Role::Xmin => self.pick((26, 29, 33), (232, 234, 237)),
            Role::Xmax => self.pick((168, 85, 138), (227, 156, 203)),
            Role::Edge => self.pick((0, 122, 90), (47, 196, 154)),
            Role::Spike => self.pick((143, 59, 118), (240, 228, 66)),
            Role::Random => self.pick((201, 133, 0), (240, 185, 90)),
            Role::Tail | Role::Detx => self.pick((168, 85, 138), (227, 156, 203)),
        }
    }

    fn pick(self, light: Rgb, dark: Rgb) -> Rgb {
        match self {
            Theme::Light => light,
            Theme::Dark => dark,
        }
    }
}
